"""The async client, for asyncio. `scripts/unasync` generates `_client.py` from this file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from . import _async_io as _io
from ._async_resources import AsyncSandboxes, AsyncTags
from ._async_usage import AsyncUsage
from ._core import Client, Exchange
from ._errors import InvalidRequestError, OpenComputerError
from ._refusals import check_options, of_parameters
from ._shared import (
    USER_AGENT,
    Change,
    Logged,
    MisuseError,
    changed_by,
    check_transport,
    config,
    groups,
    merged,
    options,
    parts,
    told,
    unpicklable,
)

ClientT = TypeVar("ClientT", bound="AsyncUsageClient")
PageT = TypeVar("PageT")


class AsyncUsageClient:
    """A client of the usage API for asyncio. Cancelling a call cancels its request.

    Args:
        api_key: The API key; by default the value of `OPENCOMPUTER_API_KEY`.
        base_url: The URL of the API, with or without `/api`; by default the value of `OPENCOMPUTER_API_URL`.
        timeout: Seconds that a call may take, including its retries; 30 by default.
        max_retries: How often a failed request is retried; 2 by default.
        headers: Headers of every request.
        connect_timeout: Seconds that connecting may take, within `timeout`; 10 by default.
        read_timeout: Seconds that the server may be silent, within `timeout`.
        proxy: URL of a proxy for every request; by default `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`
            decide.
        ssl_cert_file: PEM file of the certificates to trust; by default those that `SSL_CERT_FILE`, `SSL_CERT_DIR` or
            `REQUESTS_CA_BUNDLE` names, else the system's, else Mozilla's.
        transport: Sends requests instead of the built-in transport, to which the four options above belong: an async
            function that takes a `Request`, returns status, headers and body, raises `TimeoutError` on a timeout and
            any other exception if no response came.

    Raises:
        InvalidRequestError: If an option is missing or invalid.

    >>> async def transport(request):
    ...     return 200, {}, '{"keys": []}'
    >>> client = AsyncUsageClient(api_key="oc_key", base_url="https://api.example.com", transport=transport)
    >>> await client.tags.list_keys()
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
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        proxy: str | None = None,
        ssl_cert_file: str | PathLike[str] | None = None,
        transport: _io.Transport | None = None,
    ) -> None:
        """Checks the options. Opens no connection."""
        check_transport(transport)
        check_options(
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            headers=headers,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            proxy=proxy,
            ssl_cert_file=ssl_cert_file,
        )
        given = config(api_key, base_url, timeout, max_retries, headers)
        self._base_url = given["base_url"]
        self._inner = Client(
            USER_AGENT,
            given,
            ssl_cert_file=ssl_cert_file,
            proxy=proxy,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self._transport = transport
        self._options: dict[str, Any] = {}

    @property
    def usage(self) -> AsyncUsage:
        """The usage calls."""
        return AsyncUsage(self)

    @property
    def tags(self) -> AsyncTags:
        """The tag calls."""
        return AsyncTags(self)

    @property
    def sandboxes(self) -> AsyncSandboxes:
        """The sandbox calls."""
        return AsyncSandboxes(self)

    def with_options(
        self: ClientT,
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientT:
        """Returns this client with other options. Both share connections, so closing one closes both.

        >>> client = AsyncUsageClient(api_key="oc_key", base_url="https://api.example.com")
        >>> patient = client.with_options(timeout=120, max_retries=5)
        """
        check_options(timeout=timeout, max_retries=max_retries, headers=headers)
        client = object.__new__(type(self))
        client.__dict__.update(self.__dict__)
        client._options = merged(self._options, options(timeout, max_retries, headers))
        return client

    async def aclose(self) -> None:
        """Closes idle connections. Later calls of this client and of its copies fail."""
        self._inner.close()

    async def __aenter__(self: ClientT) -> ClientT:
        """Returns the client, which is closed at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the client."""
        await self.aclose()

    def __repr__(self) -> str:
        """Leaves out the API key."""
        return f"{type(self).__name__}(base_url={self._base_url!r})"

    def __reduce__(self) -> NoReturn:
        """Raises TypeError: clients cannot be pickled or copied."""
        raise unpicklable(self)

    def _walk(self, page: type[PageT], operation: str, params: Mapping[str, object]) -> _io.Walk[PageT, Any]:
        walk: _io.Walk[PageT, Any] = _io.walk(lambda: self._page(page, operation, params))
        return walk

    async def _page(self, page: Any, operation: str, params: Mapping[str, object]) -> Any:
        fields, following = await self._call(operation, params)
        if operation == "usage.by":
            fields = groups(fields)

        def fetch() -> Any:
            return self._page(page, operation, {**params, **following})

        return page(*fields, fetch if following else None)

    async def _call(self, operation: str, params: Mapping[str, object], change: Change | None = None) -> Any:
        with Logged(operation) as log:
            try:
                exchange = self._inner.call(operation, params, self._options, log=log.line)
            except InvalidRequestError as error:
                raise of_parameters(error, params) from None
            if self._transport is not None:
                return await self._drive(self._transport, exchange, change, log)
            kind, value = await _io.carry(exchange)
            while kind == "change" and change is not None:
                kind, value = await _io.carry(exchange, changed_by(change, value))
            return value

    async def _drive(self, transport: _io.Transport, exchange: Exchange, change: Change | None, log: Logged) -> Any:
        """Runs a call over a custom transport, step by step."""
        cause: Exception | None = None
        advance: Any = exchange.begin
        said: Any = ()
        while True:
            try:
                kind, value = advance(*said)
            except OpenComputerError as error:
                raise error from cause
            if kind == "send":
                log.sends(value.method)
                try:
                    answer = await _io.send(transport, value)
                except MisuseError:
                    raise
                except TimeoutError as error:
                    cause, advance, said = error, exchange.timeout, ()
                except Exception as error:
                    cause, advance, said = error, exchange.connection_fault, (told(error),)
                else:
                    cause, advance, said = None, exchange.answer, parts(answer)
                log.came_back(type(cause).__name__ if cause else said[0])
            elif kind == "wait":
                log.waits(value)
                await _io.sleep(value)
                advance, said = exchange.waited, ()
            elif kind == "change" and change is not None:
                advance, said = exchange.changed, (changed_by(change, value),)
            else:
                return value
