"""Integration with Python: tasks, data frames, pydantic, numbers, copies."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import typing
import weakref
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pydantic
import pytest
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from samples import KEYS, STATE, cursor, error, group_page, sandbox_page, tag_page, with_series
from stub import Answer, Stub

import opencomputer_usage as ocu
from opencomputer_usage import _async_client, _async_resources, _async_usage, _client, _resources, _usage

BASE = "https://api.example.com"
SANDBOXES = [sandbox_page(["a", "b"], cursor(1)), sandbox_page(["c"])]
ROW = ocu.SandboxUsageItem("sb-1", 2.0, 0.25, {"oc:plan": "pro", "team": "a"}, None, "mine", "running")


def blocking(*pages: object, **options: Any) -> ocu.UsageClient:
    answers = list(pages)
    transport: Any = lambda _: (200, {}, json.dumps(answers.pop(0) if len(answers) > 1 else answers[0]))  # noqa: E731
    return ocu.UsageClient(api_key="key", base_url=BASE, transport=transport, **options)


def awaited(*pages: object) -> ocu.AsyncUsageClient:
    answers = list(pages)

    async def transport(_: ocu.Request) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps(answers.pop(0) if len(answers) > 1 else answers[0])

    return ocu.AsyncUsageClient(api_key="key", base_url=BASE, transport=transport)


# Calls of the async client.


def test_an_async_call_is_a_coroutine() -> None:
    call: Any = awaited(SANDBOXES[1]).usage.by_sandbox
    assert len(asyncio.run(call()).items) == 1

    async def main() -> None:
        assert len((await asyncio.create_task(call())).items) == 1
        assert len((await asyncio.wait_for(call(), 5)).items) == 1
        first, second = await asyncio.gather(call(), call())
        assert first == second
        if hasattr(asyncio, "TaskGroup"):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(call())
            assert len(task.result().items) == 1

    asyncio.run(main())


def test_an_async_call_runs_in_a_loop_of_another_thread() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    call: Any = awaited(tag_page(["a"])).usage.by_tag("team")
    assert asyncio.run_coroutine_threadsafe(call, loop).result(10).items[0].tag_value == "a"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_task_of_an_async_call_can_be_cancelled_and_can_fail() -> None:
    async def main(stub: Stub, other: Stub) -> None:
        async with ocu.AsyncUsageClient(api_key="key", base_url=stub.url) as client:
            call: Any = client.usage.by_sandbox()
            task = asyncio.create_task(call)
            assert await asyncio.to_thread(stub.arrived.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(stub.hung_up.wait, 5)
        failing: Any = ocu.AsyncUsageClient(api_key="key", base_url=other.url).usage.by_sandbox()
        with pytest.raises(ocu.NotFoundError):
            await asyncio.create_task(failing)

    with Stub(Answer(hangs=True)) as stub, Stub(Answer(404, error("route_not_found"))) as other:
        asyncio.run(main(stub, other))


def test_a_forgotten_await_says_so() -> None:
    call: Any = awaited(SANDBOXES[0]).usage.by_sandbox()
    with pytest.raises(AttributeError, match=r"no attribute 'total': `await` it"):
        call.total  # noqa: B018
    with pytest.raises(TypeError, match=r"Table\(\[item async for item in call\]\)"):
        pa.table(call)
    call.close()


# Tables.


def test_a_page_that_is_not_the_last_is_not_a_table() -> None:
    page = blocking(*SANDBOXES).usage.by_sandbox()
    with pytest.raises(ValueError, match=r"take Table\(page\)"):
        pa.table(page)
    assert pa.table(ocu.Table(page.items)).num_rows == 2
    other: Any = ocu.AsyncSandboxUsagePage.from_json(json.dumps(SANDBOXES[0]))
    for walk in (other, awaited(SANDBOXES[0]).usage.by_sandbox()):
        with pytest.raises(TypeError, match=r"of an async walk, take \[item async for item in walk\]"):
            ocu.Table(walk)
    assert pa.table(ocu.Table(page)).num_rows == 3
    assert pa.table(page.next_page() if page.has_next_page() else page).num_rows == 1


# pydantic and FastAPI.

VALUES: list[Any] = [
    ROW,
    ocu.Tags({"team": "a"}),
    ocu.TagUsageItem("team", "a", 1.0, 2.0, 3),
    ocu.SandboxTags({"team": "a"}, None, '"e"'),
    ocu.SandboxUsage("sb", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", None, 1.5, None, None, None, None, None),
    ocu.Sandbox("sb-1", "running", None, None, None, "2026-03-01T00:00:00Z"),
    ocu.TagUsagePage.from_json(json.dumps(tag_page(["a", "b"], cursor(1)))),
    ocu.AsyncTagUsagePage.from_json(json.dumps(tag_page([]))),
    ocu.SandboxUsagePage.from_json(json.dumps(sandbox_page(["a", "b"]))),
    ocu.SandboxUsagePage.from_json(json.dumps(with_series(sandbox_page(["a", "b"])))),
    ocu.GroupUsagePage.from_json(json.dumps(with_series(group_page([{"tag:team": "a", "region": None}])))),
    ocu.Group({"tag:team": "a", "region": None}),
    ocu.LIMITS,
]


def wire(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value.to_dict()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_model_is_a_field_of_pydantic(value: Any) -> None:
    rows: Any = list[type(value)]  # type: ignore[misc]
    model: Any = pydantic.create_model("Report", row=(type(value), ...), rows=(rows, []))
    report = model(row=value, rows=[value])
    assert report.row is value or report.row == value
    assert report.model_dump() == {"row": wire(value), "rows": [wire(value)]}
    again = model.model_validate_json(report.model_dump_json())
    assert again == report
    assert type(again.row) is type(value)
    assert model(row=wire(value)).row == value
    for mode in ("validation", "serialization"):
        assert "row" in model.model_json_schema(mode=mode)["properties"]
    with pytest.raises(pydantic.ValidationError):
        model(row=5)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_model_is_a_result_of_fastapi(value: Any) -> None:
    app = FastAPI()
    app.get("/plain")(lambda: value)
    app.get("/typed", response_model=type(value))(lambda: value)
    app.get("/many")(lambda: (value, value))

    async def get(*paths: str) -> list[Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
            return [(await http.get(path)).json() for path in paths]

    plain, typed, many, document = asyncio.run(get("/plain", "/typed", "/many", "/openapi.json"))
    assert (plain, typed, many) == (wire(value), wire(value), [wire(value), wire(value)])
    assert set(document["paths"]) == {"/plain", "/typed", "/many"}
    assert jsonable_encoder({"report": value}) == {"report": wire(value)}


def test_dict_of_a_model_equals_to_dict() -> None:
    assert dict(ROW) == {**ROW} == ROW.to_dict()
    with pytest.raises(KeyError, match="sandbox_id"):
        ROW["sandbox_id"]
    page = blocking(*SANDBOXES).usage.by_sandbox()
    assert dict(page) == page.to_dict()


# Values.


def test_models_are_weakly_referenced() -> None:
    for value in (ocu.UsageTotals(1.0, 2.0), ocu.TagUsageItem("team", "a", 1.0, 2.0, 3), ocu.Tags({"a": "b"})):
        seen = weakref.ref(value)
        assert seen() is value
    del value
    assert seen() is None
    page = blocking(SANDBOXES[1]).usage.by_sandbox()
    kept: Any = weakref.WeakValueDictionary({"page": page, "row": page.items[0]})
    assert kept["page"] is page


MODULES = [_client, _async_client, _resources, _async_resources, _usage, _async_usage]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_annotations_resolve_at_run_time(module: Any) -> None:
    classes = [
        known for known in vars(module).values() if isinstance(known, type) and known.__module__ == module.__name__
    ]
    assert classes
    for known in classes:
        for method in vars(known).values():
            if callable(method):
                assert typing.get_type_hints(method)


def test_pages_of_both_clients_are_equal() -> None:
    body = json.dumps(sandbox_page(["a"]))
    pages: list[Any] = [ocu.SandboxUsagePage.from_json(body), ocu.AsyncSandboxUsagePage.from_json(body)]
    assert pages[0] == pages[1]
    assert hash(pages[0]) == hash(pages[1])
    other: Any = ocu.TagUsagePage.from_json(json.dumps(tag_page(["a"])))
    assert pages[0] != other


def test_from_json_reads_every_bytes_like_type() -> None:
    text = json.dumps(sandbox_page(["a"]))
    whole = text.encode()
    forms: list[Any] = [text, whole, bytearray(whole), memoryview(whole), memoryview(b"  " + whole)[2:]]
    assert len({ocu.SandboxUsagePage.from_json(form) for form in forms}) == 1
    for wrong in (5, [123], None):
        with pytest.raises(TypeError, match="body must be a str, bytes, bytearray or memoryview"):
            ocu.SandboxUsagePage.from_json(wrong)  # type: ignore[arg-type]
    with pytest.raises(ocu.DecodeError, match="not UTF-8"):
        ocu.SandboxUsagePage.from_json("\ud800")


class Index:
    def __index__(self) -> int:
        return 7


def test_numbers_of_other_libraries_are_accepted() -> None:
    sent: list[ocu.Request] = []

    def transport(request: ocu.Request) -> tuple[int, dict[str, str], str]:
        sent.append(request)
        return 200, {}, json.dumps(SANDBOXES[1])

    client = ocu.UsageClient(api_key="key", base_url=BASE, transport=transport)
    limits: list[Any] = [np.int64(7), np.uint8(7), Index(), np.float32(7), Decimal(7), 7.0]
    for limit in limits:
        client.usage.by_sandbox(limit=limit)
    assert {request.url.partition("limit=")[2] for request in sent} == {"7"}
    timeouts: list[Any] = [Decimal("2.5"), np.float32(2.5), np.int8(2), Fraction(5, 2)]
    for timeout in timeouts:
        client.with_options(timeout=timeout).usage.by_sandbox()
        assert 1 < sent[-1].timeout <= 2.5
        ocu.UsageClient(api_key="key", base_url=BASE, timeout=timeout, connect_timeout=timeout, read_timeout=timeout)
    booleans: list[Any] = [True, np.bool_(True)]
    for boolean in booleans:
        with pytest.raises(ocu.InvalidRequestError):
            client.usage.by_sandbox(limit=boolean)
        for name in ("timeout", "connect_timeout", "read_timeout", "max_retries"):
            with pytest.raises(ocu.InvalidRequestError, match=name):
                ocu.UsageClient(api_key="key", base_url=BASE, **{name: boolean})
    with pytest.raises(ocu.InvalidRequestError):
        client.usage.by_sandbox(limit=np.array([7, 8]))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (ocu.TagUsageItem, ("team", "a", 1.0, 2.0, -1), "sandbox_count must be from 0"),
        (ocu.TagUsageItem, ("team", "a", 1.0, 2.0, 2**64), "sandbox_count must be from 0"),
        (ocu.TagUsageItem, ("team", "a", 1.0, 2.0, True), "sandbox_count must be an int, got bool"),
        (ocu.TagUsageItem, ("team", "a", 1.0, 2.0, 1.0), "sandbox_count must be an int, got float"),
        (ocu.TagUsageItem, ("team", "a", "1", 2.0, 1), "memory_gb_seconds must be a float, got str"),
        (ocu.TagUsageItem, ("team", "a", float("nan"), 2.0, 1), "memory_gb_seconds must be finite"),
        (ocu.TagUsageItem, (7, "a", 1.0, 2.0, 1), "tag_key must be a str, got int"),
        (ocu.TagUsageItem, ("team", None, 1.0, 2.0, 1), "tag_value must be a str, got NoneType"),
        (ocu.SandboxUsageItem, ("sb", True, 2.0, {}, None), "memory_gb_seconds must be a float, got bool"),
        (
            ocu.SandboxUsageItem,
            ("sb", 1.0, 2.0, {"a": 1}, None),
            "tags must be a mapping of str to str, got str to int",
        ),
        (ocu.SandboxUsageItem, ("sb", 1.0, 2.0, [], None), "tags must be a mapping of str to str, got list"),
        (ocu.SandboxUsageItem, ("sb", 1.0, 2.0, {}, 5), "tags_last_updated_at must be a str or None, got int"),
        (
            ocu.SandboxUsagePage,
            ("f", "t", None, None, ocu.UsageTotals(1, 2), [5], None),
            "items must be a SandboxUsageItem, got int",
        ),
        (
            ocu.SandboxUsagePage,
            ("f", "t", None, None, ocu.UsageTotals(1, 2), 5, None),
            "items must be an iterable, got int",
        ),
        (ocu.SandboxUsagePage, ("f", "t", None, None, {}, [], None), "total must be a UsageTotals, got dict"),
        (
            ocu.TagUsagePage,
            ("f", "t", None, "tag:a", ocu.UsageTotals(1, 2), 5, [], None),
            "untagged must be a UntaggedUsage or None",
        ),
    ],
    ids=repr,
)
def test_a_constructor_checks_its_fields(model: Any, fields: tuple[Any, ...], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        model(*fields)
    assert message in str(refused.value)


def test_user_tags_can_be_written_back() -> None:
    models: list[Any] = [
        ROW,
        ocu.SandboxTags(ROW.tags or {}, None, None),
        ocu.Sandbox("sb", "running", None, None, None, "2026-03-01T00:00:00Z", tags=ROW.tags),
    ]
    for model in models:
        assert (model.user_tags, type(model.user_tags)) == ({"team": "a"}, ocu.Tags)
        assert ocu.validate_tags({**model.user_tags, "env": "prod"}) == []
    assert ocu.SandboxUsageItem("sb", 1.0, 2.0, None, None).user_tags is None
    usage = ocu.SandboxUsage("sb", "f", "t", None, 1.0, None, ROW.tags, None, None, None)
    assert usage.user_tags == {"team": "a"}


def test_tags_without_an_etag_have_no_condition() -> None:
    assert ocu.SandboxTags({}, None, '"e"').condition() == '"e"'
    with pytest.raises(ocu.UnsupportedByServerError, match="no `ETag`"):
        ocu.SandboxTags({}, None, None).condition()
    for header in ({}, {"ETag": ""}, {"ETag": '""'}):
        with (
            Stub(Answer(body=STATE, headers=header)) as stub,
            ocu.UsageClient(api_key="key", base_url=stub.url) as client,
        ):
            state = client.tags.get("sb")
            with pytest.raises(ocu.UnsupportedByServerError):
                state.condition()


# Clients.


def test_closing_one_of_two_clients_that_share_connections_closes_both() -> None:
    with Stub(Answer(body=KEYS)) as stub:
        client = ocu.UsageClient(api_key="key", base_url=stub.url)
        copy = client.with_options(timeout=5)
        assert copy.tags.list_keys() == client.tags.list_keys()
        client.close()
        for closed in (client, copy, copy.with_options(timeout=6)):
            with pytest.raises(RuntimeError, match="the client is closed"):
                closed.tags.list_keys()
        with ocu.UsageClient(api_key="key", base_url=stub.url) as other:
            with other.with_options(max_retries=0) as inner:
                inner.tags.list_keys()
            with pytest.raises(RuntimeError, match="the client is closed"):
                other.tags.list_keys()


def test_a_client_cannot_be_pickled() -> None:
    client = ocu.UsageClient(api_key="secret_key_1", base_url=BASE)
    with pytest.raises(TypeError, match="UsageClient cannot be pickled or copied") as refused:
        pickle.dumps(client)
    assert "secret" not in str(refused.value)


def test_an_error_has_the_headers_and_the_wait() -> None:
    headers = {"Retry-After": "2.5", "X-Request-Id": "r-1", "Set-Cookie": "session=secret"}
    with Stub(Answer(429, {"error": "slow down"}, headers)) as stub, pytest.raises(ocu.RateLimitError) as caught:
        ocu.UsageClient(api_key="key", base_url=stub.url, max_retries=0).tags.list_keys()
    failure = caught.value
    assert failure.retry_after == 2.5
    assert (failure.headers["retry-after"], failure.headers["x-request-id"]) == ("2.5", "r-1")
    assert "set-cookie" not in failure.headers
    again = pickle.loads(pickle.dumps(failure))
    assert (again.retry_after, again.headers) == (failure.retry_after, failure.headers)
    assert ocu.OpenComputerError("no").headers == {}
