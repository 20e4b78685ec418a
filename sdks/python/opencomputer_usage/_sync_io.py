"""I/O of the blocking client. `_async_io` has the same names for the async client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import sleep
from typing import Any, Protocol, TypeVar

from ._core import Exchange, Request
from ._shared import Answer, Change

__all__ = ["Caller", "Transport", "carry", "send", "sleep", "walk"]

Transport = Callable[[Request], Answer]
T = TypeVar("T")


class Caller(Protocol):
    """The part of a client that sends calls."""

    def _walk(self, page: type[T], operation: str, params: Mapping[str, object]) -> T: ...

    def _call(self, operation: str, params: Mapping[str, object], change: Change | None = None) -> Any: ...


def walk(fetch: Callable[[], T]) -> T:
    """Fetches the first page of a call."""
    return fetch()


def carry(exchange: Exchange, *changed: object) -> tuple[str, Any]:
    """Runs a call over the built-in transport and returns its next step."""
    return exchange.run(*changed)


def send(transport: Transport, request: Request) -> Answer:
    """Sends a request over a custom transport, which enforces the timeout itself."""
    return transport(request)
