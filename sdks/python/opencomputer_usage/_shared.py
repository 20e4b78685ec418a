"""Shared by both clients: options, parameters, logging, and the responses of custom transports."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

from ._core import GroupUsageItem, TagUsageItem, __version__
from ._errors import InvalidRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from types import TracebackType
    from typing import TypedDict

    from typing_extensions import Self

    class UsageQuery(TypedDict, total=False):
        """The parameters that the usage calls share, except the interval."""

        from_: When | None
        to: When | None
        time_zone: str | None
        filter: Filters | None
        exclude: Filters | None
        sort: Sort | None
        limit: int | None
        cursor: str | None


When = str | date
"""RFC 3339 with an offset, `YYYY-MM-DD`, an aware datetime or a date. A date is the start of that day."""
Filters = Mapping[str, Sequence[str] | str | None]
"""By dimension, such as `tag:<key>` or `sandbox`: exact values, None for *lacks it*, or text that is sent unchanged."""
Sort = Literal["-memoryGbSeconds", "-diskOverageGbSeconds"]
Interval = Literal["1m", "1h", "1d", "1w", "1mo"]
State = Literal["running", "all"]
Change = Callable[[dict[str, str]], Mapping[str, str]]
Headers = Mapping[str, str] | Iterable[tuple[str, str]]
Answer = tuple[int, Headers, bytes | str]
"""Status, headers and body."""

USER_AGENT = f"opencomputer-usage-python/{__version__}"

_DEBUG = 10


def config(
    api_key: str | None,
    base_url: str | None,
    timeout: float | None,
    max_retries: int | None,
    headers: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Returns the core's configuration. Missing values come from the environment."""
    return {
        "api_key": os.environ.get("OPENCOMPUTER_API_KEY") or None if api_key is None else api_key,
        "base_url": os.environ.get("OPENCOMPUTER_API_URL") or None if base_url is None else base_url,
        **options(timeout, max_retries, headers),
    }


def options(timeout: float | None, max_retries: int | None, headers: Mapping[str, str] | None) -> dict[str, Any]:
    """Returns the core's options of a call."""
    return {"timeout": timeout, "max_retries": max_retries, "headers": headers}


def merged(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Merges options: given options replace known ones, headers one by one."""
    merged = {**known, **{name: value for name, value in given.items() if value is not None}}
    if known.get("headers") and given["headers"]:
        merged["headers"] = {**known["headers"], **given["headers"]}
    return merged


def dimensions(group_by: Any) -> object:
    """Returns the parameter of `usage.by`, whose items are groups. Raises an error for `sandbox`."""
    if group_by in ("sandbox", ["sandbox"], ("sandbox",)):
        msg = "group_by must be tags, `template`, `region` or `status`: use by_sandbox for the usage by sandbox"
        raise InvalidRequestError(msg, code="invalid_group_by")
    return group_by


def groups(fields: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the fields of a page of groups. Accepts those of a page by one tag, too."""
    return tuple(tuple(map(_group, field)) if isinstance(field, _TUPLE) else field for field in fields)


def _group(item: Any) -> Any:
    """Converts an item of a page by one tag to a group."""
    if not isinstance(item, _TAG_ITEM):
        return item
    group, amounts = {f"tag:{item.tag_key}": item.tag_value}, (item.memory_gb_seconds, item.disk_overage_gb_seconds)
    return GroupUsageItem(group, *amounts, item.sandbox_count, item.series)


def usage(
    from_: When | None,
    to: When | None,
    time_zone: str | None,
    interval: str | None,
    filters: Filters | None,
    exclude: Filters | None,
    sort: Sort | None,
    limit: int | None,
    cursor: str | None,
) -> dict[str, object]:
    """Returns the parameters of a usage call."""
    return {
        **window(from_, to, time_zone, interval),
        "filter": filters,
        "exclude": exclude,
        "sort": sort,
        "limit": limit,
        "cursor": cursor,
    }


def window(from_: When | None, to: When | None, time_zone: str | None, interval: str | None) -> dict[str, object]:
    """Returns the parameters of a window and its buckets."""
    return {"from": _wire("from_", from_), "to": _wire("to", to), "timezone": time_zone, "interval": interval}


def _wire(name: str, when: Any) -> object:
    """Returns the text of a date or an aware datetime. The core checks any other value."""
    utcoffset = getattr(when, "utcoffset", None)
    if callable(utcoffset) and utcoffset() is None:
        msg = f"{name} is a datetime without a time zone, take an aware one such as datetime.now(timezone.utc)"
        raise InvalidRequestError(msg, code="invalid_timestamp")
    isoformat = getattr(when, "isoformat", None)
    return isoformat() if callable(isoformat) else when


def check_change(change: object) -> None:
    """Raises TypeError if `change` cannot be called."""
    if not callable(change):
        msg = f"change must be callable, got {type(change).__name__}"
        raise TypeError(msg)


def changed_by(change: Change, tags: dict[str, str]) -> Mapping[str, str]:
    """Returns the tags that a callback returns. Raises an error if it is async or returned None."""
    made: Any = change(tags)
    if made is None or is_awaitable(made):
        _close(made)
        hint = "None: return {**tags, ...}, say" if made is None else f"{type(made).__name__}: it cannot be async"
        msg = f"change must return the tags, got {hint}"
        raise InvalidRequestError(msg, code="invalid_body")
    return made  # type: ignore[no-any-return]


class MisuseError(Exception):
    """The program misuses the client. Such a call is not retried."""


class TransportError(MisuseError, TypeError):
    """A custom transport broke its contract."""


class LoopError(MisuseError, RuntimeError):
    """An async call was made outside of asyncio."""


def check_transport(transport: object) -> None:
    """Raises TransportError if a transport cannot be called."""
    if transport is not None and not callable(transport):
        msg = f"transport must be callable, got {type(transport).__name__}"
        raise TransportError(msg)


def told(error: Exception) -> str:
    """Describes an exception of a transport."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def parts(answer: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    """Converts a transport's response to the types of the core."""
    if not _is_triple(answer):
        _close(answer)
        hint = ", AsyncUsageClient takes async ones" if is_awaitable(answer) else ""
        msg = f"transport must return a tuple of status, headers and body, got {type(answer).__name__}{hint}"
        raise TransportError(msg)
    status, headers, body = answer
    if not hasattr(status, "__index__"):
        msg = f"the status that transport returns must be an int, got {type(status).__name__}"
        raise TransportError(msg)
    try:
        items = getattr(headers, "items", None)
        given: Any = items() if callable(items) else headers
        pairs = [(str(name), str(value)) for name, value in given]
    except (TypeError, ValueError):
        msg = f"the headers that transport returns must be a mapping or pairs of str, got {type(headers).__name__}"
        raise TransportError(msg) from None
    if isinstance(body, str):
        return int(status), pairs, body.encode()
    if isinstance(body, _BYTES):
        return int(status), pairs, bytes(body)
    msg = f"the body that transport returns must be bytes or str, got {type(body).__name__}"
    raise TransportError(msg)


_BYTES: tuple[type[Any], ...] = (bytes, bytearray, memoryview)
_TUPLE: type[Any] = tuple
_TAG_ITEM: type[Any] = TagUsageItem


def is_awaitable(value: object) -> bool:
    """Returns whether a value can be awaited."""
    return hasattr(value, "__await__")


def _is_triple(answer: Any) -> bool:
    triple: type[Any] = tuple
    return isinstance(answer, triple) and len(answer) == 3


def _close(value: object) -> None:
    """Closes a coroutine that nobody awaits, so that it does not warn."""
    close = getattr(value, "close", None)
    if is_awaitable(value) and callable(close):
        close()


def unpicklable(client: object) -> TypeError:
    """Returns the error for pickling or copying a client."""
    name = type(client).__name__
    return TypeError(f"{name} cannot be pickled or copied, as it holds connections and a key: make one in each process")


class Logged:
    """Logs a call at level DEBUG, without key and parameters, if the program uses logging."""

    __slots__ = ("_attempt", "_attempted", "_log", "_operation", "_started", "line")

    line: Callable[[str], None] | None
    """Logs a line about the call; None if DEBUG is off."""

    _logger: logging.Logger | None = None

    def __init__(self, operation: str) -> None:
        """Takes the name of the call."""
        self._operation = operation
        self._attempt = 0

    def __enter__(self) -> Self:
        """Logs the start of the call."""
        if Logged._logger is None and "logging" in sys.modules:
            import logging

            Logged._logger = logging.getLogger("opencomputer_usage")
        log = Logged._logger
        self._log = log if log is not None and log.isEnabledFor(_DEBUG) else None
        self.line = None
        if self._log:
            self._started = time.monotonic()
            self._log.debug("%s begins", self._operation)
            self.line = self._say
        return self

    def _say(self, line: str) -> None:
        if self._log:
            self._log.debug("%s: %s", self._operation, line)

    def sends(self, method: str) -> None:
        """Logs a request to a custom transport, in the words of the built-in one."""
        self._attempt += 1
        if self._log:
            self._attempted = time.monotonic()
            self._say(f"attempt {self._attempt}: {method} sent")

    def came_back(self, what: int | str) -> None:
        """Logs the status of a response, or the class of an exception."""
        if self._log:
            took = (time.monotonic() - self._attempted) * 1000
            outcome = f"HTTP {what}" if isinstance(what, int) else f"no answer ({what})"
            self._say(f"attempt {self._attempt}: {outcome} after {took:.0f} ms")

    def waits(self, seconds: float) -> None:
        """Logs the wait before the next attempt."""
        self._say(f"waiting {seconds * 1000:.0f} ms")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Logs the end of the call."""
        if self._log:
            took = (time.monotonic() - self._started) * 1000
            if kind is None:
                self._log.debug("%s done after %.0f ms", self._operation, took)
            else:  # the message may contain parameters
                self._log.debug("%s failed after %.0f ms: %s", self._operation, took, kind.__name__)
