"""How the async client waits; `_sync_io` has the same names for the blocking one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._core import Inbox

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
    from weakref import WeakKeyDictionary

    from ._core import Exchange, Request
    from ._shared import Answer

    Transport = Callable[[Request], Awaitable[Answer]]

PageT = TypeVar("PageT")
ItemT = TypeVar("ItemT")


class Walk(Generic[PageT, ItemT]):
    """A page to be awaited, or the items of every page to be iterated over with `async for`."""

    __slots__ = ("_fetch",)

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, PageT]]) -> None:
        """Takes what fetches the first page."""
        self._fetch = fetch

    def __await__(self) -> Generator[Any, Any, PageT]:
        """The page."""
        return self._fetch().__await__()

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        """Every item of this page and of those after it, fetched as they are reached."""
        page: Any = await self
        async for item in page:
            yield item


def walk(fetch: Callable[[], Coroutine[Any, Any, PageT]]) -> Walk[PageT, Any]:
    """What a call returns that has pages."""
    return Walk(fetch)


_inboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] | None = None


def _inbox(loop: asyncio.AbstractEventLoop) -> Inbox:
    """The inbox of a loop, which lives as long as the loop."""
    global _inboxes
    if _inboxes is None:
        from weakref import WeakKeyDictionary

        _inboxes = WeakKeyDictionary()
    inbox = _inboxes.get(loop)
    if inbox is None:
        inbox = _inboxes[loop] = Inbox()
        loop.add_reader(inbox.fileno(), inbox.empty)
    return inbox


async def carry(exchange: Exchange, *changed: object) -> tuple[str, Any]:
    """What a call over the built-in transport comes to; cancelling it cancels the request."""
    from asyncio import get_running_loop

    loop = get_running_loop()
    future = loop.create_future()
    task = exchange.start(_inbox(loop), future, *changed)
    try:
        step: tuple[str, Any] = await future
    except BaseException:
        task.abort()
        raise
    return step


async def send(transport: Transport, request: Request) -> Answer:
    """What a transport of your own answers, within the time."""
    import asyncio

    try:
        return await asyncio.wait_for(transport(request), request.timeout)
    except asyncio.TimeoutError as error:  # until Python 3.11 another class than the built-in one
        raise TimeoutError from error


async def sleep(seconds: float) -> None:
    """Waits."""
    import asyncio

    await asyncio.sleep(seconds)
