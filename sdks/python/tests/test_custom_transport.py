"""Transports of a user."""

from __future__ import annotations

import json

import pytest
from samples import KEY, KEYS, STATE, client, cursor, tag_page

import opencomputer_usage as ocu


def test_a_custom_transport_gets_the_request_of_the_core() -> None:
    seen: list[ocu.Request] = []

    def transport(request: ocu.Request) -> tuple[int, list[tuple[str, str]], str]:
        seen.append(request)
        return 200, [("etag", '"e"')], json.dumps(STATE)

    usage_client = client("https://api.example.com", timeout=7, transport=transport)
    assert usage_client.tags.set("sb-1", {"team": "a"}).etag == '"e"'
    (request,) = seen
    assert (request.method, request.url) == ("PUT", "https://api.example.com/api/sandboxes/sb-1/tags")
    assert request.body == b'{"team":"a"}'
    assert request.headers["x-api-key"] == KEY
    assert 6 < request.timeout <= 7
    assert KEY not in repr(request)


def test_faults_of_a_custom_transport_are_retried_and_chained() -> None:
    faults = [OSError("cable cut"), ValueError("odd"), None]

    def transport(_request: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        fault = faults.pop(0)
        if fault:
            raise fault
        return 200, {}, json.dumps(KEYS).encode()

    usage_client = client("https://api.example.com", transport=transport)
    assert len(usage_client.tags.list_keys()) == 1
    faults[:] = [OSError("cable cut")]
    with pytest.raises(ocu.APIConnectionError, match="OSError: cable cut") as broken:
        usage_client.with_options(max_retries=0).tags.list_keys()
    assert isinstance(broken.value.__cause__, OSError)
    faults[:] = [TimeoutError(), None]
    assert len(usage_client.tags.list_keys()) == 1
    faults[:] = [TimeoutError()]
    with pytest.raises(ocu.APITimeoutError) as late:
        usage_client.with_options(max_retries=0).tags.list_keys()
    assert isinstance(late.value.__cause__, TimeoutError)


def test_a_custom_transport_updates_and_walks() -> None:
    answers = [
        (200, {"ETag": '"e1"'}, json.dumps(STATE)),
        (200, {"ETag": '"e2"'}, json.dumps(STATE)),
        (200, {}, json.dumps(tag_page(["a"], cursor(1)))),
        (200, {}, json.dumps(tag_page(["b"]))),
    ]
    usage_client = client("https://api.example.com", transport=lambda _: answers.pop(0))
    assert usage_client.tags.update("sb-1", lambda tags: tags).etag == '"e2"'
    assert [item.tag_value for item in usage_client.usage.by_tag("team")] == ["a", "b"]


def test_an_interrupted_custom_transport_is_not_retried() -> None:
    def interrupted(_request: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client("https://api.example.com", transport=interrupted).tags.list_keys()
