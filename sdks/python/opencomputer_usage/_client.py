"""The blocking client. `scripts/unasync` generates this file from `_async_client.py`: edit that one."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from . import _sync_io as _io
from ._core import Client, Exchange, Sandbox, SandboxTags, SandboxUsage, TagKey
from ._errors import InvalidRequestError, OpenComputerError
from ._pages import SandboxUsagePage, TagUsagePage
from ._refusals import check_options, of_parameters
from ._shared import (
    USER_AGENT,
    Change,
    Filters,
    Logged,
    Sort,
    TransportError,
    When,
    changed_by,
    check_change,
    check_transport,
    config,
    merged,
    options,
    parts,
    told,
    unpicklable,
    usage,
    window,
)

ClientT = TypeVar("ClientT", bound="UsageClient")
ListOfSandboxes = list[Sandbox]


class Usage:
    """Usage calls. Amounts are GB-seconds."""

    __slots__ = ("_client",)

    def __init__(self, client: UsageClient) -> None:
        """Takes the client that sends the calls."""
        self._client = client

    def by_tag(
        self,
        key: str,
        *,
        from_: When | None = None,
        to: When | None = None,
        filter: Filters | None = None,  # noqa: A002 - the name in the API
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TagUsagePage:
        """Returns the usage by the values of a tag.

        Args:
            key: The key of the tag, such as `team`, without `tag:`. `tag:team` is the key of another tag.
            from_: Start of the window, inclusive; `LIMITS.default_window_days` days before its end by default.
            to: End of the window, exclusive; now by default. At most `LIMITS.max_window_days` days after its start.
            filter: The sandboxes to keep, such as `{"tag:env": ["prod"], "tag:team": None}`.
            sort: The amount that items are ordered by, descending; by default memory.
            limit: Items of one page, from 1 to `LIMITS.max_page_limit`; by default `LIMITS.default_page_limit`.
            cursor: The `next_cursor` of a page of the same query, to continue after it.

        Returns:
            A page. Iterating over it walks every page.

        Raises:
            InvalidRequestError: If a parameter breaks a rule. Nothing is sent then.
            OpenComputerError: If the call fails.
        """
        params = {"key": key, **usage(from_, to, filter, sort, limit, cursor)}
        page: TagUsagePage = self._client._walk(TagUsagePage, "usage.by_tag", params)
        return page

    def by_sandbox(
        self,
        *,
        from_: When | None = None,
        to: When | None = None,
        filter: Filters | None = None,  # noqa: A002 - the name in the API
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> SandboxUsagePage:
        """Returns the usage by sandbox. Parameters and errors are those of `by_tag`.

        Returns:
            A page. Iterating over it walks every page.
        """
        params = usage(from_, to, filter, sort, limit, cursor)
        page: SandboxUsagePage
        page = self._client._walk(SandboxUsagePage, "usage.by_sandbox", params)
        return page

    def for_sandbox(self, sandbox_id: str, *, from_: When | None = None, to: When | None = None) -> SandboxUsage:
        """Returns the usage of one sandbox, whether it still exists or not.

        Args:
            sandbox_id: The id of the sandbox.
            from_: Start of the window, inclusive; `LIMITS.default_window_days` days before its end by default.
            to: End of the window, exclusive; now by default. At most `LIMITS.max_window_days` days after its start.

        Raises:
            NotFoundError: If the organization has no such sandbox.
            OpenComputerError: If the call fails for another reason.
        """
        params = {"sandboxId": sandbox_id, **window(from_, to)}
        found: SandboxUsage = self._client._call("usage.for_sandbox", params)
        return found


class Tags:
    """Tag calls: the keys in use, and the tags of one sandbox."""

    __slots__ = ("_client",)

    def __init__(self, client: UsageClient) -> None:
        """Takes the client that sends the calls."""
        self._client = client

    def list_keys(self) -> list[TagKey]:
        """Returns every key in use, ordered by its UTF-8 bytes."""
        keys: list[TagKey] = self._client._call("tags.list_keys", {})
        return keys

    def get(self, sandbox_id: str) -> SandboxTags:
        """Returns the tags of one sandbox, and the `etag` to write them back with.

        Raises:
            NotFoundError: If the organization has no such sandbox.
        """
        state: SandboxTags = self._client._call("tags.get", {"sandboxId": sandbox_id})
        return state

    def set(self, sandbox_id: str, tags: Mapping[str, str], *, if_match: str | None = None) -> SandboxTags:
        """Replaces the user's tags of one sandbox; `{}` clears them.

        Args:
            sandbox_id: The id of the sandbox.
            tags: The new tags, without system tags.
            if_match: The etag that the current tags must have, from `condition()` of tags that were read. Without it,
                the last writer wins. To change some of the tags, use `update`.

        Returns:
            The written tags.

        Raises:
            TagValidationError: If tags break the rules. Nothing is sent then.
            ConflictError: If the current tags have another etag.
            UnsupportedByServerError: If the server ignored `if_match`. The tags were written then.
            NotFoundError: If the organization has no such sandbox.
        """
        params = {"sandboxId": sandbox_id, "tags": tags, "ifMatch": if_match}
        state: SandboxTags = self._client._call("tags.set", params)
        return state

    def update(self, sandbox_id: str, change: Change) -> SandboxTags:
        """Reads the user's tags, changes them and writes them back. Starts over if another writer came first.

        Args:
            sandbox_id: The id of the sandbox.
            change: Takes the user's tags and returns the new ones. It may be called more than once, so it must be pure.
                It cannot be a coroutine function.

        Raises:
            TypeError: If `change` cannot be called. Nothing is sent then.
            InvalidRequestError: If `change` returns None or a coroutine. Nothing is written then.
            TagValidationError: If the new tags break the rules. Nothing is written then.
            ConflictError: If other writers came first until the call timed out.
            UnsupportedByServerError: If the server sends no `ETag`. Nothing is written then.
            NotFoundError: If the organization has no such sandbox.
        """
        check_change(change)
        state: SandboxTags = self._client._call("tags.update", {"sandboxId": sandbox_id}, change)
        return state


class Sandboxes:
    """Sandbox calls."""

    __slots__ = ("_client",)

    def __init__(self, client: UsageClient) -> None:
        """Takes the client that sends the calls."""
        self._client = client

    def list(self) -> ListOfSandboxes:
        """Returns the newest 100 running sandboxes."""
        rows: ListOfSandboxes = self._client._call("sandboxes.list", {})
        return rows

    def get(self, sandbox_id: str) -> Sandbox:
        """Returns one sandbox.

        Raises:
            NotFoundError: If the organization has no such sandbox.
        """
        sandbox: Sandbox = self._client._call("sandboxes.get", {"sandboxId": sandbox_id})
        return sandbox


class UsageClient:
    """A client of the usage API that threads may share and that works after a fork.

    Args:
        api_key: The API key; by default the value of `OPENCOMPUTER_API_KEY`.
        base_url: The URL of the API, with or without `/api`; by default the value of `OPENCOMPUTER_API_URL`.
        timeout: Seconds that a call may take, including its retries; 30 by default.
        max_retries: How often a failed request is retried; 2 by default.
        headers: Headers of every request.
        connect_timeout: Seconds that connecting may take, within `timeout`.
        read_timeout: Seconds that the server may be silent, within `timeout`.
        proxy: URL of a proxy for every request; by default `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`
            decide.
        ssl_cert_file: PEM file of the certificates to trust; by default those that `SSL_CERT_FILE`, `SSL_CERT_DIR` or
            `REQUESTS_CA_BUNDLE` names, else the system's, else Mozilla's.
        transport: Sends requests instead of the built-in transport, to which the four options above belong: a
            function that takes a `Request`, returns status, headers and body, raises `TimeoutError` on a timeout and
            any other exception if no response came.

    Raises:
        InvalidRequestError: If an option is missing or invalid.

    >>> def transport(request):
    ...     return 200, {}, '{"keys": []}'
    >>> client = UsageClient(api_key="oc_key", base_url="https://api.example.com", transport=transport)
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
    def usage(self) -> Usage:
        """The usage calls."""
        return Usage(self)

    @property
    def tags(self) -> Tags:
        """The tag calls."""
        return Tags(self)

    @property
    def sandboxes(self) -> Sandboxes:
        """The sandbox calls."""
        return Sandboxes(self)

    def with_options(
        self: ClientT,
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientT:
        """Returns this client with other options. Both share connections, so closing one closes both.

        >>> client = UsageClient(api_key="oc_key", base_url="https://api.example.com")
        >>> patient = client.with_options(timeout=120, max_retries=5)
        """
        check_options(timeout=timeout, max_retries=max_retries, headers=headers)
        client = object.__new__(type(self))
        client.__dict__.update(self.__dict__)
        client._options = merged(self._options, options(timeout, max_retries, headers))
        return client

    def close(self) -> None:
        """Closes idle connections. Later calls of this client and of its copies fail."""
        self._inner.close()

    def __enter__(self: ClientT) -> ClientT:
        """Returns the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the client."""
        self.close()

    def __repr__(self) -> str:
        """Leaves out the API key."""
        return f"{type(self).__name__}(base_url={self._base_url!r})"

    def __reduce__(self) -> NoReturn:
        """Raises TypeError: clients cannot be pickled or copied."""
        raise unpicklable(self)

    def _walk(self, page: Any, operation: str, params: Mapping[str, object]) -> Any:
        return _io.walk(lambda: self._page(page, operation, params))

    def _page(self, page: Any, operation: str, params: Mapping[str, object]) -> Any:
        fields, following = self._call(operation, params)

        def fetch() -> Any:
            return self._page(page, operation, {**params, **following})

        return page(*fields, fetch if following else None)

    def _call(self, operation: str, params: Mapping[str, object], change: Change | None = None) -> Any:
        with Logged(operation) as log:
            try:
                exchange = self._inner.call(operation, params, self._options, log=log.line)
            except InvalidRequestError as error:
                raise of_parameters(error, params) from None
            if self._transport is not None:
                return self._drive(self._transport, exchange, change, log)
            kind, value = _io.carry(exchange)
            while kind == "change" and change is not None:
                kind, value = _io.carry(exchange, changed_by(change, value))
            return value

    def _drive(self, transport: _io.Transport, exchange: Exchange, change: Change | None, log: Logged) -> Any:
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
                    answer = _io.send(transport, value)
                except TransportError:
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
                _io.sleep(value)
                advance, said = exchange.waited, ()
            elif kind == "change" and change is not None:
                advance, said = exchange.changed, (changed_by(change, value),)
            else:
                return value
