"""Runs the shared suites of `tests/vectors`."""

from __future__ import annotations

import asyncio
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import opencomputer_usage as ocu
from opencomputer_usage import _core

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(__file__).parents[3] / "tests" / "vectors"
BASE = "https://api.example.com"
# 2026-01-01T00:00:00Z, the start of every call of the suites.
START_MS = 1_767_225_600_000.0

Case = dict[str, Any]

# Written from the documentation, independently of the package's own table.
KINDS: dict[type[ocu.OpenComputerError], str] = {
    ocu.TagValidationError: "tag_validation",
    ocu.InvalidRequestError: "invalid_request",
    ocu.APIError: "api",
    ocu.AuthenticationError: "authentication",
    ocu.PermissionDeniedError: "permission_denied",
    ocu.NotFoundError: "not_found",
    ocu.ConflictError: "conflict",
    ocu.RateLimitError: "rate_limit",
    ocu.ServerError: "server",
    ocu.APIConnectionError: "connection",
    ocu.APITimeoutError: "timeout",
    ocu.DecodeError: "decode",
    ocu.UnsupportedByServerError: "unsupported_by_server",
}


def expand(value: Any) -> Any:
    """Expands the special forms of a value: `$repeat`, `$concat`, `$numbered`, `$entries`."""
    if isinstance(value, list):
        return [expand(item) for item in value]
    match value:
        case {"$repeat": [text, times], **rest} if not rest:
            return expand(text) * times
        case {"$concat": [*parts], **rest} if not rest:
            return "".join(expand(part) for part in parts)
        case {"$numbered": [prefix, count, member], **rest} if not rest:
            return {f"{prefix}{number}": expand(member) for number in range(count)}
        case {"$entries": [*entries], **rest} if not rest:
            return {expand(key): expand(member) for key, member in entries}
        case dict():
            return {key: expand(member) for key, member in value.items()}
    return value


def suite(name: str) -> pytest.MarkDecorator:
    cases = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))["cases"]
    return pytest.mark.parametrize("case", [pytest.param(expand(case), id=case["name"]) for case in cases])


def expect_error(error: ocu.OpenComputerError, expected: dict[str, Any]) -> None:
    """Compares only the members of an error that the case names."""
    actual = {
        "code": error.code,
        "kind": KINDS[type(error)],
        "status": error.status,
        "requestId": error.request_id,
        "violations": [violation.to_dict() for violation in error.violations],
        "message": error.message,
        "retryAfter": error.retry_after,
        "headers": [list(pair) for pair in error.headers.items()],
    }
    assert {name: actual[name] for name in expected} == expected


def check(case: Case, run: Callable[[], object], expected: object) -> None:
    """Runs a case and compares its result or its error with the expected one."""
    if "error" in case:
        with pytest.raises(ocu.OpenComputerError) as caught:
            run()
        expect_error(caught.value, case["error"])
    else:
        assert run() == expected


def violations(found: list[ocu.TagViolation]) -> list[dict[str, Any]]:
    return [violation.to_dict() for violation in found]


@pytest.mark.parametrize("path", sorted(VECTORS.glob("[!s]*.json")), ids=lambda path: path.stem)
def test_suite_obeys_the_schema(path: Path) -> None:
    schema = json.loads((VECTORS / "schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads(path.read_text("utf-8")), schema)


def test_limits() -> None:
    cases = json.loads((VECTORS / "limits.json").read_text("utf-8"))["cases"]
    assert ocu.LIMITS.to_dict() == {case["limit"]: case["value"] for case in cases}


@suite("tags")
def test_tags(case: Case) -> None:
    check(case, lambda: violations(ocu.validate_tags(case["tags"])), case.get("violations"))


@suite("tag-key")
def test_tag_key(case: Case) -> None:
    assert violations(ocu.validate_tag_key(case["key"])) == case["violations"]


@suite("tag-value")
def test_tag_value(case: Case) -> None:
    assert violations(ocu.validate_tag_value(case["value"])) == case["violations"]


@suite("group-by")
def test_group_by(case: Case) -> None:
    check(case, lambda: ocu.parse_group_by(case["groupBy"]).to_dict(), case.get("result"))
    if "result" in case:
        assert ocu.format_group_by(case["result"]) == case["groupBy"]


@suite("options")
def test_options(case: Case) -> None:
    names = {"apiKey": "api_key", "baseUrl": "base_url", "timeoutMs": "timeout", "maxRetries": "max_retries"}
    options = {names.get(name, name): value for name, value in case["options"].items()}
    if "timeout" in options:
        options["timeout"] /= 1_000
    check(case, lambda: ocu.UsageClient(**{"api_key": "key", "base_url": BASE, **options}).close(), None)


@suite("filter-parse")
def test_filter_parse(case: Case) -> None:
    check(case, lambda: ocu.parse_filter(case["raw"]), case.get("values"))


@suite("filter-format")
def test_filter_format(case: Case) -> None:
    check(case, lambda: ocu.format_filter(case["values"]), case.get("raw"))


@suite("cursors")
def test_cursors(case: Case) -> None:
    if "encoded" in case:
        check(case, lambda: ocu.decode_cursor(case["encoded"]).to_dict(), case.get("cursor"))
    if "cursor" in case and not case.get("decodeOnly"):
        check(case, lambda: ocu.encode_cursor(case["cursor"]), case.get("encoded"))


class Recorder:
    """A transport that records its requests and returns one response."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.requests: list[ocu.Request] = []
        self._answer = answer

    def __call__(self, request: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        self.requests.append(request)
        return self._answer["status"], self._answer.get("headers", {}), body_of(self._answer)


def body_of(answer: dict[str, Any]) -> bytes:
    if "text" in answer:
        return bytes(answer["text"], "utf-8", "surrogatepass")
    return json.dumps(answer["body"]).encode() if "body" in answer else b""


PYTHON_NAMES = {
    "from": "from_",
    "groupBy": "group_by",
    "ifMatch": "if_match",
    "sandboxId": "sandbox_id",
    "timezone": "time_zone",
}


def call(client: ocu.UsageClient, operation: str, params: dict[str, Any]) -> object:
    """Calls the method. Passes parameters that Python itself would refuse, such as an unknown one, to the core."""
    group, name = operation.split(".")
    method = getattr(getattr(client, group), name)
    arguments = {PYTHON_NAMES.get(name, name): value for name, value in params.items()}
    try:
        inspect.signature(method).bind(**arguments)
    except TypeError:
        with pytest.raises(TypeError):
            method(**arguments)
        return begin(operation, params)
    return method(**arguments)


def begin(operation: str, params: dict[str, Any], options: dict[str, Any] | None = None) -> _core.Exchange:
    core = _core.Client("opencomputer-usage-python/test", {"api_key": "key", "base_url": BASE})
    return core.call(operation, params, options, START_MS)


def plain(result: Any) -> object:
    return [item.to_dict() for item in result] if isinstance(result, list) else result.to_dict()


def client_of(transport: Callable[[ocu.Request], Any]) -> ocu.UsageClient:
    return ocu.UsageClient(api_key="key", base_url=BASE, max_retries=0, transport=transport)


def expect_sent(request: ocu.Request, expected: dict[str, Any]) -> None:
    path, _, query = request.url.removeprefix(BASE).partition("?")
    sent = {"method": request.method, "url": request.url, "path": path, "query": query}
    for name, value in expected.items():
        if name == "headers":
            assert {name: request.headers.get(name) for name in value} == value
        elif name == "body":
            assert json.loads(request.body or b"null") == value
        else:
            assert sent[name] == value


def without_types(expected: dict[str, Any]) -> dict[str, Any]:
    """Leaves out a message about a type, which names the types of Python."""
    about_type = " must be " in expected.get("message", "") and ", got " in expected["message"]
    return {name: value for name, value in expected.items() if name != "message" or not about_type}


@suite("requests")
def test_requests(case: Case) -> None:
    transport = Recorder({"status": 404, "body": {}})
    with pytest.raises(ocu.OpenComputerError) as caught:
        call(client_of(transport), case["operation"], case["params"])
    if "error" in case:
        assert transport.requests == []
        expect_error(caught.value, without_types(case["error"]))
        return
    (request,) = transport.requests
    expect_sent(request, case["request"])
    assert ("body" in case["request"]) == (request.body is not None)
    assert request.headers["user-agent"] == f"opencomputer-usage-python/{ocu.__version__}"


@suite("responses")
def test_responses(case: Case) -> None:
    client = client_of(Recorder(case["response"]))
    check(case, lambda: plain(call(client, case["operation"], case["params"])), case.get("result"))


@suite("retries")
def test_retries(case: Case) -> None:
    outcome = case["outcome"]
    check(outcome, lambda: retry(case), outcome.get("result"))


def retry(case: Case) -> object:
    """Runs the steps of a case, with its times and random numbers."""
    options: dict[str, Any] = {}
    if "maxRetries" in case:
        options["max_retries"] = case["maxRetries"]
    if "timeoutMs" in case:
        options["timeout"] = case["timeoutMs"] / 1000
    exchange = begin(case["operation"], case["params"], options)
    now, draw = START_MS, case["random"]
    kind, value = exchange.begin((now, draw))
    for wanted in case["steps"]:
        if "waitMs" in wanted:
            assert (kind, round(value * 1000, 6)) == ("wait", wanted["waitMs"])
            now += wanted["waitMs"]
            kind, value = exchange.waited((now, draw))
        elif "change" in wanted:
            assert (kind, value) == ("change", wanted["change"])
            kind, value = exchange.changed(wanted["to"], (now, draw))
        else:
            assert kind == "send"
            expect_sent(value, wanted["send"])
            now += wanted.get("elapsedMs", 0)
            kind, value = come_back(exchange, wanted, (now, draw))
    assert kind == "done"
    pages: dict[str, Any] = {
        "usage.by": ocu.GroupUsagePage,
        "usage.by_tag": ocu.TagUsagePage,
        "usage.by_sandbox": ocu.SandboxUsagePage,
        "tags.list_values": ocu.TagValuePage,
        "sandboxes.list": ocu.SandboxPage,
    }
    if case["operation"] in pages:
        fields, _ = value
        return plain(pages[case["operation"]](*fields))
    return plain(value)


class Pages:
    """A transport that returns pages in order and checks the query of each."""

    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self._pages = list(pages)

    def __call__(self, request: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        page = self._pages.pop(0)
        path = page.get("path", "/api/usage")
        expect_sent(request, {"method": "GET", "path": path, "query": page["query"]})
        return page["answer"]["status"], page["answer"].get("headers", {}), body_of(page["answer"])

    def expect_over(self) -> None:
        assert self._pages == []


def name_of(item: Any) -> object:
    match item:
        case ocu.TagUsageItem():
            return item.tag_value
        case ocu.GroupUsageItem():
            return list(item.group.values())
        case ocu.TagValue():
            return item.value
    return item.sandbox_id


@suite("walks")
def test_walks(case: Case) -> None:
    transport = Pages(case["pages"])
    names: list[object] = []

    def walk() -> None:
        rows: Any = call(client_of(transport), case["operation"], case["params"])
        names.extend(name_of(row) for row in rows)

    check(case, walk, None)
    assert names == case["items"]
    transport.expect_over()


@suite("walks")
def test_async_walks(case: Case) -> None:
    transport = Pages(case["pages"])
    names: list[object] = []

    async def send(request: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        return transport(request)

    async def walk() -> None:
        client: Any = ocu.AsyncUsageClient(api_key="key", base_url=BASE, max_retries=0, transport=send)
        rows: Any = call(client, case["operation"], case["params"])
        async for row in rows:
            names.append(name_of(row))

    check(case, lambda: asyncio.run(walk()), None)
    assert names == case["items"]
    transport.expect_over()


def come_back(exchange: _core.Exchange, wanted: dict[str, Any], at: tuple[float, float]) -> tuple[str, Any]:
    fault = wanted.get("fault")
    if fault == "timeout":
        return exchange.timeout(at)
    if fault == "connection":
        return exchange.connection_fault("refused", at)
    answer = wanted["answer"]
    return exchange.answer(answer["status"], list(answer.get("headers", {}).items()), body_of(answer), at)
