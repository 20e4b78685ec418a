"""Options of a client: where they come from, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest
from samples import KEY, KEYS, client
from stub import Answer, Stub

import opencomputer_usage as ocu


def test_an_empty_key_is_refused_instead_of_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCOMPUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENCOMPUTER_API_URL", "https://api.example.com")
    with pytest.raises(ocu.InvalidRequestError):
        ocu.UsageClient(api_key="")
    with pytest.raises(ocu.InvalidRequestError):
        ocu.UsageClient(base_url="")


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": ""},
        {"api_key": "two words"},
        {"api_key": 7},
        {"base_url": "example.com"},
        {"base_url": "ftp://example.com"},
        {"base_url": "https://user:pass@example.com"},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": "30"},
        {"timeout": True},
        {"max_retries": -1},
        {"max_retries": 1.5},
        {"headers": {"a b": "c"}},
        {"headers": {"x": "é"}},
        {"headers": ["x"]},
    ],
    ids=repr,
)
def test_invalid_options_are_refused(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENCOMPUTER_API_KEY", raising=False)
    with pytest.raises(ocu.InvalidRequestError) as caught:
        ocu.UsageClient(**{"api_key": KEY, "base_url": "https://example.com", **options})
    assert KEY not in str(caught.value)


def test_key_and_url_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stub(Answer(body=KEYS)) as stub:
        monkeypatch.setenv("OPENCOMPUTER_API_KEY", KEY)
        monkeypatch.setenv("OPENCOMPUTER_API_URL", stub.url)
        with ocu.UsageClient() as usage_client:
            usage_client.tags.list_keys()
        monkeypatch.delenv("OPENCOMPUTER_API_KEY")
        with pytest.raises(ocu.InvalidRequestError, match="OPENCOMPUTER_API_KEY"):
            ocu.UsageClient()
    assert stub.requests[0].headers["x-api-key"] == KEY


def test_with_options_changes_a_call() -> None:
    with Stub(Answer(body=KEYS)) as stub, client(stub.url, headers={"X-A": "1"}) as usage_client:
        usage_client.with_options(headers={"X-B": "2"}).with_options(headers={"X-C": "3"}).tags.list_keys()
        usage_client.tags.list_keys()
        with pytest.raises(ocu.InvalidRequestError, match="retries"):
            usage_client.with_options(max_retries=-1).tags.list_keys()
    first, second = (request.headers for request in stub.requests)
    assert (first["x-a"], first["x-b"], first["x-c"]) == ("1", "2", "3")
    assert ("x-a" in second, "x-b" in second) == (True, False)
