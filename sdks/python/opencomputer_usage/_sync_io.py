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

__all__ = ["Carrier", "send", "sleep", "walk"]


def walk(fetch: Callable[[], T]) -> T:
    """What a call returns that has pages."""
    return fetch()


class Carrier:
    """Carries calls over the built-in transport."""

    def carry(self, exchange: Exchange, *changed: object) -> tuple[str, Any]:
        """What the call comes to."""
        return exchange.run(*changed)

    def close(self) -> None:
        """There is nothing to take leave of."""


def send(transport: Transport, request: Request) -> Answer:
    """What a transport of your own answers; it keeps the time itself."""
    return transport(request)
