"""The blocking client against small servers that behave well or badly."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import socket
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from samples import KEY, KEYS, STATE, client, cursor, error, sandbox_page, tag_page
from stub import Answer, Stub

import opencomputer_usage as ocu


def query(path: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(path).query)


def test_a_page_and_its_request() -> None:
    with Stub(Answer(body=tag_page(["a", "b"]))) as stub, client(stub.url) as usage_client:
        page = usage_client.usage.by_tag(
            "team", from_="2026-03-01", to="2026-04-01", filter={"tag:env": ["prod", "a,b"], "tag:x": None}, limit=10
        )
    assert [item.tag_value for item in page.items] == ["a", "b"]
    assert page.untagged
    assert (page.total.memory_gb_seconds, page.untagged.sandbox_count) == (6.0, 0)
    assert (page.next_cursor, page.has_next_page()) == (None, False)
    (request,) = stub.requests
    assert (request.method, urlsplit(request.path).path) == ("GET", "/api/usage")
    assert parse_qs(urlsplit(request.path).query, keep_blank_values=True) == {
        "groupBy": ["tag:team"],
        "filter[tag:env]": ['prod,"a,b"'],
        "filter[tag:x]": [""],
        "from": ["2026-03-01T00:00:00Z"],
        "to": ["2026-04-01T00:00:00Z"],
        "limit": ["10"],
    }
    assert request.headers["x-api-key"] == KEY
    assert request.headers["user-agent"] == f"opencomputer-usage-python/{ocu.__version__}"


def test_iterating_walks_every_page() -> None:
    pages = [sandbox_page(["a", "b"], cursor(1)), sandbox_page([], cursor(2)), sandbox_page(["c"])]
    with Stub(*(Answer(body=page) for page in pages)) as stub, client(stub.url) as usage_client:
        rows = [row.sandbox_id for row in usage_client.usage.by_sandbox(limit=2)]
    assert rows == ["a", "b", "c"]
    assert [query(request.path).get("cursor") for request in stub.requests] == [None, [cursor(1)], [cursor(2)]]
    assert all(query(request.path)["limit"] == ["2"] for request in stub.requests)


def test_pages_one_by_one() -> None:
    with Stub(Answer(body=tag_page(["a"], cursor(1))), Answer(body=tag_page(["b"]))) as stub:
        first = client(stub.url).usage.by_tag("team")
        assert first.has_next_page()
        second = first.next_page()
        assert second.items[0].tag_value == "b"
        with pytest.raises(RuntimeError, match="last page"):
            second.next_page()
        with pytest.raises(RuntimeError, match="no client"):
            pickle.loads(pickle.dumps(first)).next_page()
    assert len(stub.requests) == 2


def test_every_other_call() -> None:
    sandbox = {
        "sandboxID": "sb 1",
        "status": "running",
        "region": "use2",
        "workerID": "w-1",
        "template": "base",
        "startedAt": "2026-03-01T00:00:00Z",
    }
    drilldown = {
        **{name: value for name, value in sandbox_page([]).items() if name in ("from", "to", "asOf")},
        "sandboxId": "sb 1",
        **STATE,
        "memoryGbSeconds": 1.5,
        "diskOverageGbSeconds": 0.0,
        "firstStartedAt": None,
        "lastEndedAt": None,
    }
    answers = (
        Answer(body=KEYS),
        Answer(body=STATE, headers={"ETag": '"e1"'}),
        Answer(body=STATE, headers={"ETag": '"e2"'}),
        Answer(body=[sandbox]),
        Answer(body={**sandbox, **STATE}),
        Answer(body=drilldown),
    )
    with Stub(*answers) as stub, client(stub.url + "/api/") as usage_client:
        assert usage_client.tags.list_keys() == [ocu.TagKey("team", 3, 2)]
        state = usage_client.tags.get("sb 1")
        assert (state.tags["team"], state.etag) == ("a", '"e1"')
        assert usage_client.tags.set("sb 1", {"team": "a"}, if_match=state.etag).etag == '"e2"'
        assert usage_client.sandboxes.list().items[0].tags is None
        assert usage_client.sandboxes.get("sb 1").tags == STATE["tags"]
        assert usage_client.usage.for_sandbox("sb 1", from_=date(2026, 3, 1)).memory_gb_seconds == 1.5
    assert [(request.method, request.path) for request in stub.requests] == [
        ("GET", "/api/tags"),
        ("GET", "/api/sandboxes/sb%201/tags"),
        ("PUT", "/api/sandboxes/sb%201/tags"),
        ("GET", "/api/sandboxes"),
        ("GET", "/api/sandboxes/sb%201"),
        ("GET", "/api/sandboxes/sb%201/usage?from=2026-03-01T00%3A00%3A00Z"),
    ]
    assert json.loads(stub.requests[2].body) == {"team": "a"}
    assert stub.requests[2].headers["if-match"] == '"e1"'


def test_update_passes_the_users_tags_and_starts_over_after_a_conflict() -> None:
    answers = (
        Answer(body=STATE, headers={"ETag": '"e1"'}),
        Answer(412, error("tags_changed")),
        Answer(body={**STATE, "tags": {"team": "b"}}, headers={"ETag": '"e2"'}),
        Answer(body={**STATE, "tags": {"team": "b", "env": "prod"}}, headers={"ETag": '"e3"'}),
    )
    seen = []

    def change(tags: dict[str, str]) -> dict[str, str]:
        seen.append(dict(tags))
        tags["env"] = "prod"
        return tags

    with Stub(*answers) as stub, client(stub.url) as usage_client:
        assert usage_client.tags.update("sb-1", change).etag == '"e3"'
    assert seen == [{"team": "a"}, {"team": "b"}]
    assert [json.loads(put.body) for put in stub.requests if put.method == "PUT"] == [
        {"team": "a", "env": "prod"},
        {"team": "b", "env": "prod"},
    ]


def test_a_refused_change_writes_nothing() -> None:
    with Stub(Answer(body=STATE, headers={"ETag": '"e1"'})) as stub, client(stub.url) as usage_client:

        def fail(_tags: dict[str, str]) -> dict[str, str]:
            raise LookupError("mine")

        with pytest.raises(LookupError, match="mine"):
            usage_client.tags.update("sb-1", fail)
        with pytest.raises(ocu.TagValidationError) as refused:
            usage_client.tags.update("sb-1", lambda tags: {**tags, "oc:x": "y"})
        assert [violation.code for violation in refused.value.violations] == ["key_reserved_prefix"]
        with pytest.raises(ocu.InvalidRequestError) as forgotten:
            usage_client.tags.update("sb-1", lambda _: None)  # type: ignore[arg-type, return-value]
        assert forgotten.value.code == "invalid_body"
    assert {request.method for request in stub.requests} == {"GET"}


def test_an_update_without_a_callable_sends_nothing() -> None:
    change: Any = None
    with Stub() as stub, client(stub.url) as usage_client:
        with pytest.raises(TypeError, match="change must be callable, got NoneType"):
            usage_client.tags.update("sb-1", change)
        assert stub.requests == []


def test_a_429_is_retried_after_the_time_it_names(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="opencomputer_usage")
    with (
        Stub(Answer(429, error("rate_limited"), {"Retry-After": "1"}), Answer(body=KEYS)) as stub,
        client(stub.url) as usage_client,
    ):
        started = time.monotonic()
        assert len(usage_client.tags.list_keys()) == 1
        # `Retry-After` is a lower bound: a retry that comes earlier breaks it.
        assert time.monotonic() - started >= 1.0
    assert len(stub.requests) == 2
    assert "tags.list_keys: waiting 1000 ms" in caplog.messages


def test_a_body_that_is_not_utf_8_is_a_decode_error() -> None:
    with Stub(Answer(200, b"\xff\xfe")) as stub, pytest.raises(ocu.DecodeError) as caught:
        client(stub.url).tags.list_keys()
    assert caught.value.status == 200


def test_a_server_that_is_down_is_a_connection_error() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ocu.APIConnectionError, match="refused") as caught:
            client(f"http://127.0.0.1:{held.getsockname()[1]}", max_retries=1).tags.list_keys()
    assert (caught.value.status, caught.value.body) == (None, None)


def test_a_host_that_does_not_exist_is_a_connection_error() -> None:
    with pytest.raises(ocu.APIConnectionError):
        client("http://no-such-host.invalid", max_retries=0).tags.list_keys()


def test_an_invalid_url_is_refused() -> None:
    with pytest.raises(ocu.InvalidRequestError):
        client("http://[::1").tags.list_keys()


def test_the_timeout_covers_the_call_with_its_retries() -> None:
    with Stub(Answer(hangs=True)) as stub:
        with pytest.raises(ocu.APITimeoutError, match="within the 1000 ms"):
            client(stub.url, timeout=1, max_retries=5).tags.list_keys()
        # The request is cancelled, and no time is left for a retry.
        assert stub.hung_up.wait(5)
        assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_limit", ocu.InvalidRequestError),
        (401, "unauthorized", ocu.AuthenticationError),
        (403, "forbidden", ocu.PermissionDeniedError),
        (404, "sandbox_not_found", ocu.NotFoundError),
        (409, "conflict", ocu.ConflictError),
        (418, "teapot", ocu.APIError),
        (504, "query_timeout", ocu.ServerError),
    ],
)
def test_each_status_has_its_error_class(status: int, code: str, kind: type[ocu.OpenComputerError]) -> None:
    with Stub(Answer(status, error(code))) as stub, pytest.raises(ocu.OpenComputerError) as caught:
        client(stub.url).tags.list_keys()
    failure = caught.value
    assert type(failure) is kind
    assert (failure.status, failure.code, failure.message) == (status, code, "no")
    assert str(failure) == f"no (HTTP {status}, code {code}, request req-7)"
    again = pickle.loads(pickle.dumps(failure))
    assert (type(again), again.__dict__, str(again)) == (kind, failure.__dict__, str(failure))


def test_violations_from_the_server_are_typed() -> None:
    found = {"code": "key_empty", "key": "", "message": "no"}
    body = {**error("invalid_tags"), "violations": [found]}
    with Stub(Answer(400, body)) as stub, pytest.raises(ocu.TagValidationError) as caught:
        client(stub.url).tags.list_keys()
    assert caught.value.violations == (ocu.TagViolation("key_empty", "", "no"),)


def test_a_refused_call_sends_nothing() -> None:
    with Stub(Answer(body=KEYS)) as stub, client(stub.url) as usage_client:
        with pytest.raises(ocu.TagValidationError) as invalid:
            usage_client.tags.set("sb-1", {"": "x", "oc:a": "y" * 257})
        assert [violation.code for violation in invalid.value.violations] == [
            "key_empty",
            "key_reserved_prefix",
            "value_too_long",
        ]
        for call, code in (
            (lambda: usage_client.usage.by_tag("team", limit=501), "invalid_limit"),
            (lambda: usage_client.usage.by_tag("team", limit=10**400), "invalid_limit"),
            (lambda: usage_client.usage.by_tag("team name"), "invalid_group_by"),
            (lambda: usage_client.usage.by_sandbox(from_="yesterday"), "invalid_timestamp"),
            (lambda: usage_client.usage.by_sandbox(from_=datetime(2026, 3, 1)), "invalid_timestamp"),
            (lambda: usage_client.usage.by_sandbox(filter={"tag:a": []}), "invalid_filter"),
            (lambda: usage_client.usage.by_sandbox(filter={"tag:a": ["\ud800"]}), "invalid_filter"),
            (lambda: usage_client.tags.get(".."), "invalid_sandbox_id"),
            (lambda: usage_client.tags.get(7), "invalid_sandbox_id"),  # type: ignore[arg-type]
        ):
            with pytest.raises(ocu.InvalidRequestError) as refused:
                call()
            assert refused.value.code == code
            assert (refused.value.status, refused.value.__cause__) == (None, None)
        with pytest.raises(TypeError, match="limt"):
            usage_client.usage.by_tag("team", limt=5)  # type: ignore[call-overload]
    assert stub.requests == []


def test_times_can_be_dates_and_datetimes() -> None:
    east = timezone(timedelta(hours=2))
    window = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T23:30:00.000250Z"}
    with Stub(Answer(body={**sandbox_page([]), **window})) as stub, client(stub.url) as usage_client:
        usage_client.usage.by_sandbox(from_=date(2026, 3, 1), to=datetime(2026, 3, 2, 1, 30, 0, 250, east))
    sent = query(stub.requests[0].path)
    assert (sent["from"], sent["to"]) == (["2026-03-01T00:00:00Z"], ["2026-03-01T23:30:00.000250Z"])


def test_connections_are_kept_alive_until_the_client_is_closed() -> None:
    with Stub(Answer(body=KEYS)) as stub:
        usage_client = client(stub.url)
        for _ in range(3):
            usage_client.tags.list_keys()
        assert len({request.peer for request in stub.requests}) == 1
        assert not stub.left.is_set()
        usage_client.close()
        assert stub.left.wait(5)
        usage_client.close()
        with pytest.raises(RuntimeError, match="closed"):
            usage_client.tags.list_keys()


def test_one_client_is_shared_by_32_threads() -> None:
    with (
        Stub(Answer(body=KEYS, together=32)) as stub,
        client(stub.url) as usage_client,
        ThreadPoolExecutor(32) as pool,
    ):
        results = list(pool.map(lambda _: usage_client.tags.list_keys(), range(128)))
    assert len(results) == 128


def test_a_call_that_times_out_closes_its_connection() -> None:
    with Stub(Answer(hangs=True)) as stub, client(stub.url, timeout=0.2) as usage_client:
        with pytest.raises(ocu.APITimeoutError):
            usage_client.tags.list_keys()
        assert stub.hung_up.wait(5)


def test_pages_and_clients_are_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        with Stub(Answer(body=tag_page(["a"], cursor(1))), Answer(body=tag_page(["b"]))) as stub:
            usage_client = client(stub.url)
            freed = weakref.ref(usage_client)
            assert len(list(usage_client.usage.by_tag("team"))) == 2
            del usage_client
            assert freed() is None
    finally:
        gc.enable()


def test_a_page_in_a_reference_cycle_is_collected() -> None:
    class Holder:
        def __init__(self) -> None:
            self.client = client("https://api.example.com", transport=self.send)
            self.page = self.client.usage.by_tag("team")

        def send(self, _request: ocu.Request) -> tuple[int, dict[str, str], str]:
            return 200, {}, json.dumps(tag_page(["a"]))

    freed = weakref.ref(Holder())
    gc.collect()
    assert freed() is None


def test_no_key_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Stub(Answer(401, error("unauthorized"))) as stub:
        usage_client = client(stub.url, headers={"authorization": f"Bearer {KEY}"})
        with pytest.raises(ocu.AuthenticationError) as caught:
            usage_client.tags.list_keys()
        shown = [repr(usage_client), repr(usage_client._inner), str(caught.value), repr(caught.value)]
    assert stub.url in shown[0]
    messages = [record.getMessage() for record in caplog.records if record.name == "opencomputer_usage"]
    assert any("tags.list_keys failed" in message for message in messages)
    assert KEY not in "".join([*shown, *messages, str(caught.value.__dict__)])


def test_logs_name_no_parameter(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ocu.InvalidRequestError, match="a secret of mine"):
        client("https://api.example.com").usage.by_sandbox(from_="a secret of mine")
    messages = [record.getMessage() for record in caplog.records if record.name == "opencomputer_usage"]
    assert any(message.endswith("InvalidRequestError") for message in messages)
    assert "a secret of mine" not in "".join(messages)


# A transport of one's own.
