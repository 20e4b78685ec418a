"""The blocking client."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from ._base import BaseClient
from ._calls import Call, PageCall, SandboxCalls, TagCalls, UsageCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from . import _core
    from ._base import Answer, Request

    Transport = Callable[[Request], Answer]

P = ParamSpec("P")
T = TypeVar("T")


class Resource:
    """A group of calls."""

    def __init__(self, client: UsageClient) -> None:
        """Calls go through this client."""
        self._client = client


def _call(declare: Callable[Concatenate[Any, P], Call[T]]) -> Callable[Concatenate[Resource, P], T]:
    @functools.wraps(declare)
    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client._call(declare(self, *args, **kwargs))

    return method


def _page(
    declare: Callable[Concatenate[Any, P], PageCall[T, Any]],
) -> Callable[Concatenate[Resource, P], T]:
    @functools.wraps(declare)
    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client._page(declare(self, *args, **kwargs))

    return method


class Usage(Resource):
    """Usage; amounts are GB-seconds."""

    by_tag = _page(UsageCalls.by_tag)
    by_sandbox = _page(UsageCalls.by_sandbox)
    for_sandbox = _call(UsageCalls.for_sandbox)


class Tags(Resource):
    """The tags in use and those of one sandbox."""

    list_keys = _call(TagCalls.list_keys)
    get = _call(TagCalls.get)
    set = _call(TagCalls.set)
    update = _call(TagCalls.update)


class Sandboxes(Resource):
    """Sandboxes and their tags."""

    list = _call(SandboxCalls.list)
    get = _call(SandboxCalls.get)


class UsageClient(BaseClient):
    """A client of the usage API. It may be shared by threads, and used on after a fork.

    Args:
        api_key: The key; by default that of the environment variable `OPENCOMPUTER_API_KEY`.
        base_url: Where the API is, with or without `/api`; by default what `OPENCOMPUTER_API_URL` says.
        timeout: Seconds that a call may take with its retries; 30 by default.
        max_retries: How often a request is sent again; 2 by default.
        headers: Headers of every request.
        transport: Sends requests instead of the built-in transport: takes a `Request`, returns status, headers and
            body, raises `TimeoutError` where the time was up and anything else where no answer came.

    Raises:
        InvalidRequestError: If an option is missing or invalid.

    >>> client = UsageClient(
    ...     api_key="oc_key",
    ...     base_url="https://api.example.com",
    ...     transport=lambda request: (200, {}, '{"keys": []}'),
    ... )
    >>> client.tags.list_keys()
    []
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
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
    def usage(self) -> Usage:
        """Usage by tag, by sandbox and of one sandbox."""
        return Usage(self)

    @property
    def tags(self) -> Tags:
        """The tags in use and those of one sandbox."""
        return Tags(self)

    @property
    def sandboxes(self) -> Sandboxes:
        """Sandboxes and their tags."""
        return Sandboxes(self)

    def close(self) -> None:
        """Closes the connections that are kept alive; the client makes no more calls."""
        self._closed = True
        self._inner.close()

    def __enter__(self) -> Self:
        """The client, closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        self.close()

    def _call(self, call: Call[T]) -> T:
        return call.read(_run(self._steps(call.operation, call.params, call.change)))

    def _page(self, call: PageCall[T, Any], cursor: str | None = None) -> T:
        params = call.params if cursor is None else {**call.params, "cursor": cursor}
        page: Any = call.sync_page
        value = _run(self._steps(call.operation, params, None))
        result: T = page.from_wire(value, _fetch=functools.partial(self._page, call))
        return result

    def _carry(self, exchange: _core.Exchange, *changed: object) -> str:
        return exchange.run(*changed)

    def _send(self, request: Request) -> Answer:
        answer: Answer = self._transport(request)
        return answer

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _run(steps: Generator[Any, Any, Any]) -> Any:
    """Whatever a step yields has been waited for already."""
    try:
        value = next(steps)
        while True:
            value = steps.send(value)
    except StopIteration as end:
        return end.value
