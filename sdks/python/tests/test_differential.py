"""Random calls have the verdicts of the core, which `fuzz/examples/verdicts.rs` writes."""

from __future__ import annotations

import inspect
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from test_vectors import BASE, KINDS, PYTHON_NAMES, START_MS, plain

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from collections.abc import Callable

# Cases of `make verdicts`.
VERDICTS = Path(__file__).parents[3] / "target" / "fuzz" / "verdicts.jsonl"
# The time and a random number.
AT = (START_MS, 0.0)
# The bits of the negative zero and of zero.
ZEROS = ("f64:8000000000000000", "f64:0000000000000000")
# The maximum number of mismatches shown in a failure.
SHOWN = 5

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "validateTags": ocu.validate_tags,
    "validateTagKey": ocu.validate_tag_key,
    "validateTagValue": ocu.validate_tag_value,
    "parseGroupBy": lambda group_by: ocu.parse_group_by(group_by).to_dict(),
    "formatGroupBy": ocu.format_group_by,
    "parseFilter": ocu.parse_filter,
    "formatFilter": ocu.format_filter,
    "encodeCursor": ocu.encode_cursor,
    "decodeCursor": lambda cursor: ocu.decode_cursor(cursor).to_dict(),
}


def test_random_calls_have_the_verdicts_of_the_core() -> None:
    mismatches: list[str] = []
    cases = 0
    with VERDICTS.open(encoding="utf-8") as lines:
        for line in lines:
            cases += 1
            wanted = json.loads(line)
            actual = events_of(wanted["call"], wanted["input"])
            if canonical(actual) == wanted["verdict"]:
                continue
            expected, text = in_the_words_of_python(json.loads(wanted["verdict"]), actual)
            if expected != text:
                mismatches.append(f"{line}core:   {expected}\nPython: {text}")
    assert cases >= 5_000
    assert not mismatches, f"{len(mismatches)} of {cases}:\n" + "\n".join(mismatches[:SHOWN])


def events_of(name: str, given: Any) -> list[dict[str, Any]]:
    """Makes a call. Returns the requests, the callbacks, the results and the error, in order."""
    events: list[dict[str, Any]] = []
    try:
        if name in FUNCTIONS:
            found = FUNCTIONS[name](given)
            events.append({"done": [one.to_dict() for one in found] if name.startswith("validate") else found})
        else:
            exchange(name, given, events)
    except ocu.OpenComputerError as error:
        events.append({"failed": failed(error)})
    return events


def exchange(name: str, given: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """Calls the API and asks for the next page. That request is answered with status 418."""
    answer = given["answer"]

    def transport(request: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in request.headers.items() if name != "user-agent"}
        body = None if request.body is None else request.body.decode()
        events.append({"method": request.method, "url": request.url, "headers": headers, "body": body})
        return answer["status"], answer["headers"], answer["body"].encode("latin-1")

    def change(tags: dict[str, str]) -> Any:
        events.append({"change": tags})
        return given["to"]

    # Making a client for each call would take longer than the calls.
    client = CLIENT.with_options()
    client._transport = transport
    params = {**given["params"], "change": change} if name == "tags.update" else given["params"]
    result: Any = call(client, name, params)
    is_page = hasattr(result, "next_page")
    events.append({"done": result.to_dict() if is_page else plain(result)})
    if is_page:
        answer = {"status": 418, "headers": {}, "body": ""}
        if result.has_next_page():
            result.next_page()


def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
    """Calls the method. Passes parameters that Python itself would refuse, such as an unknown one, to the core."""
    group, name = operation.split(".")
    method = getattr(getattr(client, group), name)
    arguments = {PYTHON_NAMES.get(name, name): value for name, value in params.items()}
    try:
        inspect.signature(method).bind(**arguments)
    except TypeError:
        return client._inner.call(operation, params, None, None)
    return method(**arguments)


class Frozen:
    """A compiled client or exchange at the instant of the core's verdicts."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def call(self, operation: str, params: Any, options: Any, log: Any) -> Frozen:
        return Frozen(self._inner.call(operation, params, options, START_MS, log))

    def begin(self) -> Any:
        return self._inner.begin(AT)

    def answer(self, *answer: Any) -> Any:
        return self._inner.answer(*answer, AT)

    def changed(self, tags: Any) -> Any:
        return self._inner.changed(tags, AT)


CLIENT: Any = ocu.UsageClient(api_key="key-0123456789", base_url=BASE, max_retries=0)
CLIENT._inner = Frozen(CLIENT._inner)


def failed(error: ocu.OpenComputerError) -> dict[str, Any]:
    """Returns the attributes of an error by the core's names."""
    return {
        "kind": KINDS[type(error)],
        "message": error.message,
        "code": error.code,
        "status": error.status,
        "requestId": error.request_id,
        "violations": [violation.to_dict() for violation in error.violations],
        "body": error.body,
        "headers": error.headers,
        "retryAfter": error.retry_after,
    }


def in_the_words_of_python(core: list[dict[str, Any]], actual: list[dict[str, Any]]) -> tuple[str, str]:
    """Returns both in canonical form, without messages about types, because those name the types of Python."""
    message = actual[-1].get("failed", {}).get("message", "")
    if " must be " in message and ", got " in message and "failed" in core[-1]:
        core[-1]["failed"]["message"] = actual[-1]["failed"]["message"] = None
    # The decoder of Python reads `-0` as the integer 0.
    expected, text = (canonical(without_lone_times(events)).replace(*ZEROS) for events in (core, actual))
    return expected, text


def without_lone_times(value: Any) -> Any:
    """Leaves out `tagsLastUpdatedAt` where it is null or without tags: a sandbox has either both or none in Python."""
    if isinstance(value, list):
        return [without_lone_times(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_lone = "tags" not in value or value.get("tagsLastUpdatedAt") is None
    members = {name: without_lone_times(member) for name, member in value.items()}
    return {name: member for name, member in members.items() if name != "tagsLastUpdatedAt" or not is_lone}


def canonical(value: Any) -> str:
    """Writes a value as `fuzz/src/differential/verdict.rs` does: sorted members, and numbers as their bits."""
    return json.dumps(with_bits(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def with_bits(value: Any) -> Any:
    """Replaces numbers by their bits."""
    if isinstance(value, dict):
        return {name: with_bits(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_bits(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"f64:{struct.pack('>d', value).hex()}"
    return value
