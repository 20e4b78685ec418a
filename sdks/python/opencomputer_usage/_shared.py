"""What both clients share: options, parameters, logging and the forms that a transport of your own may answer in."""

from __future__ import annotations

import os
import sys
import time

from ._core import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from types import TracebackType
    from typing import Any, Literal

    When = str | date
    """RFC 3339 with an offset, `YYYY-MM-DD`, an aware datetime or a date (UTC midnight)."""
    Filters = Mapping[str, Sequence[str] | str | None]
    """By dimension, `tag:<key>` or `sandbox`: exact values, None for *lacks the tag*, or the wire's own string."""
    Sort = Literal["-memoryGbSeconds", "-diskOverageGbSeconds"]
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
    """The core's configuration; what is not given comes from the environment."""
    return {
        "apiKey": os.environ.get("OPENCOMPUTER_API_KEY") or None if api_key is None else api_key,
        "baseUrl": os.environ.get("OPENCOMPUTER_API_URL") or None if base_url is None else base_url,
        **options(timeout, max_retries, headers),
    }


def options(timeout: float | None, max_retries: int | None, headers: Mapping[str, str] | None) -> dict[str, Any]:
    """The core's options of a call."""
    seconds = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    timeout_ms = timeout * 1000 if seconds and timeout is not None else timeout
    return {"timeoutMs": timeout_ms, "maxRetries": max_retries, "headers": headers}


def merged(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Options with those that are given over those that are known; headers one by one."""
    merged = {**known, **{name: value for name, value in given.items() if value is not None}}
    if known.get("headers") and given["headers"]:
        merged["headers"] = {**known["headers"], **given["headers"]}
    return merged


def usage(
    from_: When | None,
    to: When | None,
    filters: Filters | None,
    sort: Sort | None,
    limit: int | None,
    cursor: str | None,
) -> dict[str, object]:
    """The parameters of a usage call."""
    return {**window(from_, to), "filter": filters, "sort": sort, "limit": limit, "cursor": cursor}


def window(from_: When | None, to: When | None) -> dict[str, object]:
    """The parameters of a window."""
    return {"from": _wire(from_), "to": _wire(to)}


def _wire(when: Any) -> object:
    """The text of a date or datetime; what is wrong with anything else, the core says."""
    isoformat = getattr(when, "isoformat", None)
    return isoformat() if callable(isoformat) else when


def check_change(change: object) -> None:
    """Refuses what cannot be called, before anything is sent."""
    if not callable(change):
        msg = f"change must be callable, got {type(change).__name__}"
        raise TypeError(msg)


def told(error: Exception) -> str:
    """An exception of a transport in words."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def parts(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """The parts of a transport's answer, in the forms that the core takes."""
    status, headers, body = answer
    items: Any = getattr(headers, "items", None)
    pairs: Any = items() if callable(items) else headers
    return int(status), list(pairs), body.encode() if isinstance(body, str) else bytes(body)


class Logged:
    """Logs a call at level DEBUG, never with its parameters, where the program uses logging at all."""

    __slots__ = ("_log", "_operation", "_started")

    _logger: logging.Logger | None = None

    def __init__(self, operation: str) -> None:
        """Takes the name of the call."""
        self._operation = operation

    def __enter__(self) -> None:
        """The call begins."""
        if Logged._logger is None and "logging" in sys.modules:
            import logging

            Logged._logger = logging.getLogger("opencomputer_usage")
        log = Logged._logger
        self._log = log if log is not None and log.isEnabledFor(_DEBUG) else None
        if self._log:
            self._started = time.monotonic()
            self._log.debug("%s begins", self._operation)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The call is over."""
        if self._log:
            took = (time.monotonic() - self._started) * 1000
            if kind is None:
                self._log.debug("%s done after %.0f ms", self._operation, took)
            else:  # what the error says may name parameters
                self._log.debug("%s failed after %.0f ms: %s", self._operation, took, kind.__name__)
