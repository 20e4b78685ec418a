"""The async client, for asyncio."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from ._base import BaseClient
from ._calls import Call, PageCall, SandboxCalls, TagCalls, UsageCalls
from ._models import AsyncPage, SandboxItem, TagItem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from . import _core
    from ._base import Answer, Request

    AsyncTransport = Callable[[Request], Awaitable[Answer]]

P = ParamSpec("P")
T = TypeVar("T")
PageT = TypeVar("PageT", bound=AsyncPage[Any, Any])
ItemT = TypeVar("ItemT")


class Walk(Generic[PageT, ItemT]):
    """A page to be awaited, or the items of every page to be iterated over with `async for`."""

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, PageT]]) -> None:
        """Takes what fetches the first page."""
        self._fetch = fetch

    def __await__(self) -> Generator[Any, Any, PageT]:
        """The page."""
        return self._fetch().__await__()

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        """Every item of this page and of those after it, fetched as they are reached."""
        async for item in await self:
            yield item


class AsyncResource:
    """A group of calls."""

    def __init__(self, client: AsyncUsageClient) -> None:
        """Calls go through this client."""
        self._client = client


def _call(
    declare: Callable[Concatenate[Any, P], Call[T]],
) -> Callable[Concatenate[AsyncResource, P], Coroutine[Any, Any, T]]:
    @functools.wraps(declare)
    async def method(self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._client._call(declare(self, *args, **kwargs))

    return method


def _walk(
    declare: Callable[Concatenate[Any, P], PageCall[Any, PageT]], _items: type[ItemT]
) -> Callable[Concatenate[AsyncResource, P], Walk[PageT, ItemT]]:
    @functools.wraps(declare)
    def method(self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> Walk[PageT, ItemT]:
        return Walk(functools.partial(self._client._page, declare(self, *args, **kwargs)))

    return method


class AsyncUsage(AsyncResource):
    """Usage; amounts are GB-seconds."""

    by_tag = _walk(UsageCalls.by_tag, TagItem)
    by_sandbox = _walk(UsageCalls.by_sandbox, SandboxItem)
    for_sandbox = _call(UsageCalls.for_sandbox)


class AsyncTags(AsyncResource):
    """The tags in use and those of one sandbox."""

    list_keys = _call(TagCalls.list_keys)
    get = _call(TagCalls.get)
    set = _call(TagCalls.set)
    update = _call(TagCalls.update)


class AsyncSandboxes(AsyncResource):
    """Sandboxes and their tags."""

    list = _call(SandboxCalls.list)
    get = _call(SandboxCalls.get)


class AsyncUsageClient(BaseClient):
    """A client of the usage API for asyncio. Cancelling a call cancels its request.

    Args:
        api_key: The key; by default that of the environment variable `OPENCOMPUTER_API_KEY`.
        base_url: Where the API is, with or without `/api`; by default what `OPENCOMPUTER_API_URL` says.
        timeout: Seconds that a call may take with its retries; 30 by default.
        max_retries: How often a request is sent again; 2 by default.
        headers: Headers of every request.
        transport: Sends requests instead of the built-in transport: an async function that takes a `Request`,
            returns status, headers and body, raises `TimeoutError` where the time was up and anything else where
            no answer came.

    Raises:
        InvalidRequestError: If an option is missing or invalid.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
        transport: AsyncTransport | None = None,
    ) -> None:
        """Checks what it is given; opens nothing."""
        super().__init__(
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            headers=headers,
            transport=transport,
        )

    @property
    def usage(self) -> AsyncUsage:
        """Usage by tag, by sandbox and of one sandbox."""
        return AsyncUsage(self)

    @property
    def tags(self) -> AsyncTags:
        """The tags in use and those of one sandbox."""
        return AsyncTags(self)

    @property
    def sandboxes(self) -> AsyncSandboxes:
        """Sandboxes and their tags."""
        return AsyncSandboxes(self)

    async def aclose(self) -> None:
        """Closes the connections that are kept alive; the client makes no more calls."""
        self._closed = True
        self._inner.close()

    async def __aenter__(self) -> Self:
        """The client, closed at the end of the block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        await self.aclose()

    async def _call(self, call: Call[T]) -> T:
        return call.read(await _run(self._steps(call.operation, call.params, call.change)))

    async def _page(self, call: PageCall[Any, PageT], cursor: str | None = None) -> PageT:
        params = call.params if cursor is None else {**call.params, "cursor": cursor}
        value = await _run(self._steps(call.operation, params, None))
        return call.async_page.from_wire(value, _fetch=functools.partial(self._page, call))

    async def _carry(self, exchange: _core.Exchange, *changed: object) -> str:
        import asyncio

        loop = asyncio.get_running_loop()
        carried: asyncio.Future[str] = loop.create_future()

        def resolve(step: str) -> None:
            if not carried.done():
                carried.set_result(step)

        task = exchange.start(lambda step: loop.call_soon_threadsafe(resolve, step), *changed)
        try:
            return await carried
        finally:
            task.abort()

    async def _send(self, request: Request) -> Answer:
        import asyncio

        try:
            return await asyncio.wait_for(self._transport(request), request.timeout)
        except asyncio.TimeoutError as error:  # until Python 3.11 another class than the built-in one
            raise TimeoutError from error

    async def _sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


async def _run(steps: Generator[Any, Any, Any]) -> Any:
    """Waits for whatever a step yields."""
    try:
        waiting = next(steps)
        while True:
            try:
                value = await waiting
            except Exception as error:
                waiting = steps.throw(error)
            else:
                waiting = steps.send(value)
    except StopIteration as end:
        return end.value
