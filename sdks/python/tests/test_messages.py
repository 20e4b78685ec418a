"""Error messages in Python's terms, and the lines that calls log."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
from datetime import datetime
from typing import Any

import pytest
from samples import KEY, KEYS, STATE, cursor, error, sandbox_page
from stub import Answer, Stub

import opencomputer_usage as ocu

BASE = "https://api.example.com"
# The terms of other languages for None, a dict and a list.
FOREIGN = re.compile(r"\b(null|object|array|undefined|unsupported type)\b")


def client(url: str = BASE, **options: Any) -> ocu.UsageClient:
    return ocu.UsageClient(**{"api_key": KEY, "base_url": url, **options})


UNTYPED: Any = ocu
REFUSALS: list[tuple[Any, str, str | None]] = [
    (lambda c: c.usage.by_tag(None), "key must be a str, got NoneType", "invalid_group_by"),
    (
        lambda c: c.usage.by_tag("a", from_=datetime(2026, 3, 1)),
        "from_ is a datetime without a time zone",
        "invalid_timestamp",
    ),
    (lambda c: c.usage.by_tag("a", to=datetime.now()), "to is a datetime without a time zone", "invalid_timestamp"),
    (
        lambda c: c.usage.by_tag("a", to=7),
        "to must be a str, an aware datetime or a date, got int",
        "invalid_timestamp",
    ),
    (
        lambda c: c.usage.by_tag("a", filter=["x"]),
        "filter must be a mapping of str to a list of str, None or a str, got list of str",
        "invalid_filter",
    ),
    (lambda c: c.usage.by_tag("a", filter={"tag:a": {"x"}}), "got dict of str to set", "invalid_filter"),
    (lambda c: c.usage.by_tag("a", filter={"tag:a": [None]}), "got dict of str to list of NoneType", "invalid_filter"),
    (lambda c: c.usage.by(None), "groupBy", "missing_group_by"),
    (
        lambda c: c.usage.by(["region", 1]),
        "group_by must be a str or a list of str, got list of int, str",
        "invalid_group_by",
    ),
    (lambda c: c.usage.by({"kind": "region"}), "group_by must be a str or a list of str, got dict", "invalid_group_by"),
    (lambda c: c.usage.by("sandbox"), "use by_sandbox", "invalid_group_by"),
    (lambda c: c.usage.by_tag("a", exclude=["x"]), "exclude must be a mapping of str to", "invalid_filter"),
    (lambda c: c.usage.by_tag("a", time_zone=7), "time_zone must be a str, got int", "invalid_timezone"),
    (lambda c: c.usage.by_tag("a", interval=1), "interval must be a str, got int", "invalid_interval"),
    (lambda c: c.usage.for_sandbox("sb", interval=1), "interval must be a str, got int", "invalid_interval"),
    (lambda c: c.usage.by_tag("a", sort=7), "sort must be a str, got int", "invalid_sort"),
    (lambda c: c.usage.by_tag("a", limit="5"), "limit must be an int, got str", "invalid_limit"),
    (lambda c: c.usage.by_tag("a", limit=True), "limit must be an int, got bool", "invalid_limit"),
    (lambda c: c.usage.by_tag("a", limit=1.5), "1", "invalid_limit"),
    (lambda c: c.usage.by_tag("a", cursor=b"x"), "cursor must be a str, got bytes", "invalid_cursor"),
    (lambda c: c.tags.list_values(None), "key must be a str, got NoneType", "invalid_tag_key"),
    (lambda c: c.tags.list_values("a", prefix=7), "prefix must be a str, got int", "invalid_prefix"),
    (lambda c: c.tags.list_values("a", limit="5"), "limit must be an int, got str", "invalid_limit"),
    (lambda c: c.sandboxes.list(state=7), "state must be a str, got int", "invalid_state"),
    (lambda c: c.sandboxes.list(filter=["x"]), "filter must be a mapping of str to", "invalid_filter"),
    (lambda c: c.usage.for_sandbox(None), "sandbox_id must be a str, got NoneType", "invalid_sandbox_id"),
    (lambda c: c.tags.set("sb", None), "tags must be a mapping of str to str, got NoneType", "invalid_body"),
    (lambda c: c.tags.set("sb", ["a"]), "tags must be a mapping of str to str, got list of str", "invalid_body"),
    (lambda c: c.tags.set("sb", {}, if_match=7), "if_match must be a str, got int", None),
    (lambda c: c.with_options(timeout="9"), "timeout must be a number of seconds, got str", None),
    (lambda c: c.with_options(headers=["x"]), "headers must be a mapping of str to str, got list of str", None),
    (lambda _: client(timeout=0), "`timeout` must be a positive, finite number of seconds", None),
    (lambda _: client(max_retries=-1), "`max_retries` must be a whole number from 0", None),
    (lambda c: c.with_options(max_retries=1.5).tags.list_keys(), "`max_retries` must be a whole number from 0", None),
    (
        lambda c: c.with_options(timeout=-1).tags.list_keys(),
        "`timeout` must be a positive, finite number of seconds",
        None,
    ),
    (lambda _: client(api_key=7), "api_key must be a str, got int", None),
    (lambda _: client(base_url=b"x"), "base_url must be a str, got bytes", None),
    (lambda _: client(timeout=True), "timeout must be a number of seconds, got bool", None),
    (lambda _: client(max_retries="2"), "max_retries must be an int, got str", None),
    (lambda _: client(headers={"x": 1}), "headers must be a mapping of str to str, got dict of str to int", None),
    (lambda _: client(connect_timeout=True), "connect_timeout must be a number of seconds, got bool", None),
    (lambda _: client(read_timeout="1"), "read_timeout must be a number of seconds, got str", None),
    (lambda _: client(proxy=7), "proxy must be a str, got int", None),
    (lambda _: client(ssl_cert_file=7), "ssl_cert_file must be a str or PathLike, got int", None),
    (lambda _: UNTYPED.validate_tags(None), "tags must be a mapping of str to str, got NoneType", "invalid_body"),
    (lambda _: UNTYPED.validate_tags(["a"]), "tags must be a mapping of str to str, got list", "invalid_body"),
    (
        lambda _: UNTYPED.validate_tags({1: "a"}),
        "tags must be a mapping of str to str, got a key of type int",
        "invalid_body",
    ),
    (lambda _: UNTYPED.validate_tag_key(None), "key must be a str, got NoneType", "invalid_body"),
    (lambda _: UNTYPED.parse_group_by(7), "group_by must be a str, got int", "invalid_group_by"),
    (lambda _: UNTYPED.parse_filter(None), "text must be a str, got NoneType", "invalid_filter"),
    (lambda _: UNTYPED.format_filter({"a"}), "values must be a list of str or None, got set", "invalid_filter"),
    (
        lambda _: UNTYPED.format_filter([1]),
        "values must be a list of str or None, got an item of type int",
        "invalid_filter",
    ),
    (
        lambda _: UNTYPED.format_group_by(None),
        "group_by must be a GroupBy or a mapping, got NoneType",
        "invalid_group_by",
    ),
    (lambda _: UNTYPED.encode_cursor([]), "cursor must be a Cursor or a mapping, got list", "invalid_cursor"),
    (lambda _: UNTYPED.decode_cursor(7), "text must be a str, got int", "invalid_cursor"),
]


@pytest.mark.parametrize(("call", "message", "code"), REFUSALS, ids=[message for _, message, _ in REFUSALS])
def test_the_error_for_a_wrong_type_names_the_python_type(call: Any, message: str, code: str | None) -> None:
    with pytest.raises(ocu.InvalidRequestError) as refused:
        call(client())
    assert message in str(refused.value)
    assert not FOREIGN.search(str(refused.value))
    assert (refused.value.code, refused.value.status) == (code, None)


# Callbacks of `update`.


async def changes_later(tags: dict[str, str]) -> dict[str, str]:
    return tags


CALLBACKS: list[tuple[Any, str]] = [
    (changes_later, "change must return the tags, got coroutine: it cannot be async"),
    (lambda _: None, r"change must return the tags, got None: return \{\*\*tags"),
]


@pytest.mark.parametrize(("change", "message"), CALLBACKS, ids=["async", "None"])
def test_a_callback_that_returns_no_tags_is_refused(change: Any, message: str) -> None:
    async def awaited(url: str) -> None:
        async with ocu.AsyncUsageClient(api_key=KEY, base_url=url) as other:
            await other.tags.update("sb", change)

    with Stub(Answer(body=STATE, headers={"ETag": '"e"'})) as stub:
        for update in (lambda: client(stub.url).tags.update("sb", change), lambda: asyncio.run(awaited(stub.url))):
            with pytest.raises(ocu.InvalidRequestError, match=message):
                update()
    assert {request.method for request in stub.requests} == {"GET"}


# Transports.


async def sends_later(_: ocu.Request) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, b""


ANSWERS: list[tuple[Any, str]] = [
    (None, "got NoneType"),
    ((200, {}), "a tuple of status, headers and body, got tuple"),
    ([200, {}, b""], "got list"),
    (("ok", {}, b""), "the status that transport returns must be an int, got str"),
    ((200, None, b""), "the headers that transport returns must be a mapping or pairs of str, got NoneType"),
    ((200, ["x"], b""), "must be a mapping or pairs of str, got list"),
    ((200, {}, None), "the body that transport returns must be bytes or str, got NoneType"),
    ((200, {}, {"keys": []}), "must be bytes or str, got dict"),
]


@pytest.mark.parametrize(("answer", "message"), ANSWERS, ids=[message for _, message in ANSWERS])
def test_a_transport_with_a_wrong_return_value_fails_without_a_retry(answer: Any, message: str) -> None:
    calls = []

    def transport(request: ocu.Request) -> Any:
        calls.append(request)
        return answer

    async def awaited(request: ocu.Request) -> Any:
        return transport(request)

    async def main() -> None:
        await ocu.AsyncUsageClient(api_key=KEY, base_url=BASE, transport=awaited).tags.list_keys()

    for call in (lambda: client(transport=transport).tags.list_keys(), lambda: asyncio.run(main())):
        calls.clear()
        with pytest.raises(TypeError, match=re.escape(message)):
            call()
        assert len(calls) == 1


def test_a_transport_of_the_other_client_is_refused() -> None:
    wrong: Any = sends_later
    with pytest.raises(TypeError, match="got coroutine, AsyncUsageClient takes async ones"):
        client(transport=wrong).tags.list_keys()

    async def main() -> None:
        sync: Any = lambda _: (200, {}, b"")  # noqa: E731
        await ocu.AsyncUsageClient(api_key=KEY, base_url=BASE, transport=sync).tags.list_keys()

    with pytest.raises(TypeError, match="transport must be an async function, got tuple from it: UsageClient takes"):
        asyncio.run(main())
    for kind in (ocu.UsageClient, ocu.AsyncUsageClient):
        with pytest.raises(TypeError, match="transport must be callable, got int"):
            kind(api_key=KEY, base_url=BASE, transport=7)  # type: ignore[arg-type]


def test_an_event_loop_other_than_asyncio_is_refused() -> None:
    call = ocu.AsyncUsageClient(api_key=KEY, base_url=BASE).tags.list_keys()
    with pytest.raises(RuntimeError, match="AsyncUsageClient needs asyncio: under trio"):
        call.send(None)


# Answers.


def test_a_body_that_never_ends_is_refused_without_a_copy() -> None:
    body = b" " * ((64 << 20) + 1)
    with pytest.raises(ocu.DecodeError, match="longer than 64 MiB") as refused:
        client(transport=lambda _: (200, {"x-request-id": "r-1"}, body)).tags.list_keys()
    assert (refused.value.status, refused.value.request_id) == (200, "r-1")
    assert len(str(refused.value.body)) <= 64 << 10
    with pytest.raises(ocu.ServerError) as failed:
        client(transport=lambda _: (504, {}, body)).tags.list_keys()
    assert len(failed.value.body) == 64 << 10


def test_the_error_for_a_compressed_body_names_the_compression() -> None:
    with pytest.raises(ocu.DecodeError, match=r"compressed \(gzip\)"):
        client(transport=lambda _: (200, {}, gzip.compress(json.dumps(KEYS).encode()))).tags.list_keys()
    with (
        Stub(Answer(200, gzip.compress(b"{}"), {"content-encoding": "gzip"})) as stub,
        pytest.raises(ocu.DecodeError, match=r"compressed \(gzip\), which was not asked for"),
    ):
        client(stub.url).tags.list_keys()


def test_the_message_for_a_304() -> None:
    with Stub(Answer(304, b"")) as stub, pytest.raises(ocu.APIError, match="the server responded with HTTP 304"):
        client(stub.url).tags.list_keys()


def test_the_message_for_a_page_of_html() -> None:
    page = b"<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    with pytest.raises(ocu.ServerError) as failed:
        client(transport=lambda _: (500, {"content-type": "text/html"}, page)).with_options(
            max_retries=0
        ).tags.list_keys()
    assert str(failed.value) == "the server responded with HTTP 500 (HTTP 500)"


def test_an_echoed_key_is_hidden() -> None:
    echo = {"error": f"unknown key {KEY}", "code": "unauthorized"}
    with Stub(Answer(401, echo, {"X-Echo": KEY})) as stub, pytest.raises(ocu.AuthenticationError) as refused:
        client(stub.url).tags.list_keys()
    assert str(refused.value).startswith("unknown key [key]")
    assert refused.value.headers["x-echo"] == "[key]"
    assert KEY not in f"{refused.value!r} {refused.value.__dict__}"

    def transport(request: ocu.Request) -> Any:
        raise OSError(f"cannot send {request.headers}")

    with pytest.raises(ocu.APIConnectionError) as broken:
        client(transport=transport, max_retries=0).tags.list_keys()
    assert KEY not in f"{broken.value!r} {broken.value.__dict__}"


# Logs.


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "opencomputer_usage"]
    return [re.sub(r"\d+ ms", "N ms", line) for line in found]


def test_the_debug_log_shows_attempts_waits_and_statuses(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "opencomputer_usage")
    expected = [
        "tags.get begins",
        "tags.get: attempt 1: GET sent",
        "tags.get: attempt 1: HTTP 503 after N ms",
        "tags.get: waiting N ms",
        "tags.get: attempt 2: GET sent",
        "tags.get: attempt 2: HTTP 200 after N ms",
        "tags.get done after N ms",
    ]
    answers = (Answer(503, error("unavailable"), {"Retry-After": "0.01"}), Answer(body=STATE))

    async def awaited(url: str) -> None:
        async with ocu.AsyncUsageClient(api_key=KEY, base_url=url) as other:
            await other.tags.get("secret-sandbox")

    def own(url: str) -> None:
        replies = [(503, {"Retry-After": "0.01"}, b"{}"), (200, {}, json.dumps(STATE))]
        client(url, transport=lambda _: replies.pop(0)).tags.get("secret-sandbox")

    for run in (
        lambda url: client(url).tags.get("secret-sandbox"),
        lambda url: asyncio.run(awaited(url)),
        own,
    ):
        caplog.clear()
        with Stub(*answers) as stub:
            run(stub.url)
        assert lines(caplog) == expected
        assert "secret" not in " ".join(lines(caplog))


def test_the_log_shows_failures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "opencomputer_usage")
    with Stub(Answer(drops=True)) as stub, pytest.raises(ocu.APIConnectionError):
        client(stub.url, max_retries=0).tags.list_keys()
    assert lines(caplog)[2:] == [
        "tags.list_keys: attempt 1: no answer after N ms",
        "tags.list_keys failed after N ms: APIConnectionError",
    ]
    caplog.clear()

    def transport(_: ocu.Request) -> Any:
        raise OSError("cable cut")

    with pytest.raises(ocu.APIConnectionError):
        client(max_retries=0, transport=transport).tags.list_keys()
    assert lines(caplog)[2] == "tags.list_keys: attempt 1: no answer (OSError) after N ms"


def test_by_default_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "opencomputer_usage")
    with Stub(Answer(body=KEYS)) as stub:
        client(stub.url).tags.list_keys()
    assert caplog.records == []
    assert sandbox_page([])["items"] == []


def test_a_window_that_the_next_page_cannot_ask_for_is_an_error_of_this_package() -> None:
    page = {**sandbox_page(["sb-1"], cursor(1)), "from": "2020-01-01T00:00:00Z"}
    with pytest.raises(ocu.InvalidRequestError, match="longer than the allowed 90 days") as caught:
        list(client(transport=lambda _: (200, {}, json.dumps(page))).usage.by_sandbox(limit=1))
    assert caught.value.code == "window_too_large"
