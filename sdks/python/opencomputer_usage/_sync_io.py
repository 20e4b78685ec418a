"""How the blocking client waits; `_async_io` has the same names for the async one."""

from __future__ import annotations

from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._core import Exchange, Request
    from ._shared import Answer

    Transport = Callable[[Request], Answer]
    T = TypeVar("T")

__all__ = ["carry", "send", "sleep", "walk"]


def walk(fetch: Callable[[], T]) -> T:
    """What a call returns that has pages."""
    return fetch()


def carry(exchange: Exchange, *changed: object) -> tuple[str, Any]:
    """What a call over the built-in transport comes to."""
    return exchange.run(*changed)


def send(transport: Transport, request: Request) -> Answer:
    """What a transport of your own answers; it keeps the time itself."""
    return transport(request)
