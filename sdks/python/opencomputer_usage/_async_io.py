"""I/O of the async client. `_sync_io` has the same names for the blocking client."""

from __future__ import annotations

import atexit
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from ._core import CompletionQueue, Exchange, Request, stop_delivery
from ._shared import Answer, Change, LoopError, TransportError, is_awaitable

# Registered on import, so that it runs after handlers that a program registers later.
atexit.register(stop_delivery)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from types import TracebackType
    from weakref import WeakKeyDictionary

Transport = Callable[[Request], Awaitable[Answer]]

PageT = TypeVar("PageT")
PageT_co = TypeVar("PageT_co", covariant=True)
ItemT_co = TypeVar("ItemT_co", covariant=True)


class Walk(Coroutine[Any, Any, PageT_co], Generic[PageT_co, ItemT_co]):
    """A page to be awaited, also as a task, or the items of every page to be iterated over with `async for`."""

    __slots__ = ("_coroutine", "_fetch")

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, PageT_co]]) -> None:
        """Takes the function that fetches the first page."""
        self._fetch = fetch
        self._coroutine: Coroutine[Any, Any, PageT_co] | None = None

    def __await__(self) -> Generator[Any, Any, PageT_co]:
        """Fetches the page."""
        return self._fetch().__await__()

    def send(self, value: Any, /) -> Any:
        """Resumes the call, so that tasks can run it."""
        return self._started().send(value)

    def throw(self, kind: Any, value: Any = None, traceback: TracebackType | None = None, /) -> Any:
        """Raises an exception in the call."""
        if value is None and traceback is None:
            return self._started().throw(kind)
        return self._started().throw(kind, value, traceback)

    def close(self) -> None:
        """Closes the call."""
        if self._coroutine is not None:
            self._coroutine.close()

    def _started(self) -> Coroutine[Any, Any, PageT_co]:
        if self._coroutine is None:
            self._coroutine = self._fetch()
        return self._coroutine

    async def __aiter__(self) -> AsyncIterator[ItemT_co]:
        """Yields the items of this page and all later pages, which are fetched as needed."""
        page: Any = await self
        async for item in page:
            yield item

    def __getattr__(self, name: str) -> NoReturn:
        """Raises an error that names the missing `await`."""
        msg = f"this call has no attribute {name!r}: `await` it for its page, or take its items with `async for`"
        raise AttributeError(msg)

    def __arrow_c_stream__(self, requested_schema: object = None) -> NoReturn:
        """Raises TypeError: this method cannot await."""
        msg = "an async call is no table: take Table([item async for item in call])"
        raise TypeError(msg)


class Caller(Protocol):
    """The part of a client that sends calls."""

    def _walk(self, page: type[PageT], operation: str, params: Mapping[str, object]) -> Walk[PageT, Any]: ...

    async def _call(self, operation: str, params: Mapping[str, object], change: Change | None = None) -> Any: ...


def walk(fetch: Callable[[], Coroutine[Any, Any, PageT]]) -> Walk[PageT, Any]:
    """Wraps a call that has pages."""
    return Walk(fetch)


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, CompletionQueue] | None = None


def _queue(loop: asyncio.AbstractEventLoop) -> CompletionQueue:
    """Returns the completion queue of a loop, which lives as long as the loop."""
    global _queues
    if _queues is None:
        from weakref import WeakKeyDictionary

        _queues = WeakKeyDictionary()
    return _queues.setdefault(loop, CompletionQueue())


def _running_loop() -> asyncio.AbstractEventLoop:
    """Returns the event loop that runs the call."""
    from asyncio import get_running_loop

    try:
        return get_running_loop()
    except RuntimeError:
        msg = "AsyncUsageClient needs asyncio: under trio, call a UsageClient with trio.to_thread.run_sync"
        raise LoopError(msg) from None


async def carry(exchange: Exchange, *changed: object) -> tuple[str, Any]:
    """Runs a call over the built-in transport and returns its next step. Cancelling it cancels the request."""
    loop = _running_loop()
    future = loop.create_future()
    task = exchange.start(_queue(loop), future, *changed)
    try:
        step: tuple[str, Any] = await future
    except BaseException:
        task.abort()
        raise
    return step


async def send(transport: Transport, request: Request) -> Answer:
    """Sends a request over a custom transport, within the timeout."""
    import asyncio

    _running_loop()
    answer: Any = transport(request)
    if not is_awaitable(answer):
        msg = f"transport must be an async function, got {type(answer).__name__} from it: UsageClient takes others"
        raise TransportError(msg)
    try:
        return await asyncio.wait_for(answer, request.timeout)
    except asyncio.TimeoutError as error:  # until Python 3.11 another class than the built-in one
        raise TimeoutError from error


async def sleep(seconds: float) -> None:
    """Waits."""
    import asyncio

    await asyncio.sleep(seconds)
