"""How the blocking client waits; `_async_io` has the same names for the async one."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import Any, TypeVar

from ._core import Exchange, Request
from ._shared import Answer

__all__ = ["Transport", "carry", "send", "sleep", "walk"]

Transport = Callable[[Request], Answer]
T = TypeVar("T")


def walk(fetch: Callable[[], T]) -> T:
    """What a call returns that has pages."""
    return fetch()


def carry(exchange: Exchange, *changed: object) -> tuple[str, Any]:
    """What a call over the built-in transport comes to."""
    return exchange.run(*changed)


def send(transport: Transport, request: Request) -> Answer:
    """What a transport of your own answers; it keeps the time itself."""
    return transport(request)
