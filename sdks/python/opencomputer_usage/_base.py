"""What the blocking and the async client share: everything but how they wait."""

from __future__ import annotations

import copy
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _core
from ._errors import from_wire, refusal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from typing_extensions import Self

    from ._calls import Change

    Headers = Mapping[str, str] | Iterable[tuple[str, str]]
    Answer = tuple[int, Headers, bytes | str]
    """Status, headers and body."""

USER_AGENT = f"opencomputer-usage-python/{_core.__version__}"

log = logging.getLogger("opencomputer_usage")


@dataclass(frozen=True, slots=True)
class Request:
    """What a transport of your own has to send."""

    method: str
    """`GET` or `PUT`."""
    url: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; the key is among them."""
    body: bytes | None = field(repr=False)
    timeout: float
    """Seconds that are left for it."""


class BaseClient:
    """A client, apart from how it waits."""

    _inner: _core.Client
    _transport: Any
    _options: dict[str, Any]
    _base_url: str | None
    _closed: bool

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None,
        timeout: float | None,
        max_retries: int | None,
        headers: Mapping[str, str] | None,
        transport: Any,
    ) -> None:
        """Checks what it is given; opens nothing."""
        self._base_url = os.environ.get("OPENCOMPUTER_API_URL") or None if base_url is None else base_url
        config = {
            "apiKey": os.environ.get("OPENCOMPUTER_API_KEY") or None if api_key is None else api_key,
            "baseUrl": self._base_url,
            **_options(timeout, max_retries, headers),
        }
        try:
            self._inner = _core.Client(USER_AGENT, config)
        except _core.CoreError as error:
            raise refusal(error) from None
        self._transport = transport
        self._options = {}
        self._closed = False

    def with_options(
        self,
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """This client with other options; both share connections.

        >>> from opencomputer_usage import UsageClient
        >>> client = UsageClient(api_key="oc_key", base_url="https://api.example.com")
        >>> patient = client.with_options(timeout=120, max_retries=5)
        """
        client = copy.copy(self)
        headers = {**self._options.get("headers", {}), **headers} if headers else None
        given = _options(timeout, max_retries, headers)
        client._options = {
            **self._options,
            **{name: value for name, value in given.items() if value is not None},
        }
        return client

    def __repr__(self) -> str:
        """Shows no key."""
        return f"{type(self).__name__}(base_url={self._base_url!r})"

    def _steps(self, operation: str, params: dict[str, object], change: Change | None) -> Generator[Any, Any, Any]:
        """One call: yields what `_carry`, `_send` and `_sleep` give, and wants to be sent what that comes to."""
        if self._closed:
            msg = "the client is closed"
            raise RuntimeError(msg)
        clock = _Clock()
        try:
            exchange = self._inner.call(operation, params, self._options, clock.now_ms())
        except _core.CoreError as error:
            raise refusal(error) from None
        log.debug("%s begins", operation)
        carry = self._native if self._transport is None else self._bytes
        step, cause = yield from carry(exchange, clock, change)
        took = clock.now_ms() - clock.started_ms
        if step["step"] == "failed":
            failure = from_wire(step["error"])
            log.debug("%s failed after %.0f ms: %s", operation, took, failure)
            raise failure from cause
        log.debug("%s done after %.0f ms", operation, took)
        return step["value"]

    def _native(
        self, exchange: _core.Exchange, _clock: _Clock, change: Change | None
    ) -> Generator[Any, Any, tuple[Any, None]]:
        """Over the Rust SDK's transport, which comes back for a change only."""
        step = json.loads((yield self._carry(exchange)))
        while step["step"] == "change" and change:
            step = json.loads((yield self._carry(exchange, change(step["tags"]))))
        return step, None

    def _bytes(
        self, exchange: _core.Exchange, clock: _Clock, change: Change | None
    ) -> Generator[Any, Any, tuple[Any, Exception | None]]:
        """Over the user's transport, step by step."""
        import random  # half of what importing the package would cost

        cause: Exception | None = None
        text = exchange.begin(clock.now_ms(), random.random())
        while True:
            step = json.loads(text)
            kind = step["step"]
            if kind == "send":
                try:
                    status, headers, body = yield self._send(_request(step))
                except TimeoutError as error:
                    cause = error
                    text = exchange.timeout(clock.now_ms(), random.random())
                except Exception as error:
                    cause = error
                    text = exchange.connection_fault(_told(error), clock.now_ms(), random.random())
                else:
                    cause = None
                    answer = (int(status), _pairs(headers), _bytes(body))
                    text = exchange.answer(*answer, clock.now_ms(), random.random())
            elif kind == "wait":
                yield self._sleep(step["ms"] / 1000)
                text = exchange.waited(clock.now_ms(), random.random())
            elif kind == "change" and change:
                text = exchange.changed(change(step["tags"]), clock.now_ms(), random.random())
            else:
                return step, cause

    def _carry(self, exchange: _core.Exchange, *changed: object) -> Any:
        raise NotImplementedError

    def _send(self, request: Request) -> Any:
        raise NotImplementedError

    def _sleep(self, seconds: float) -> Any:
        raise NotImplementedError


class _Clock:
    """Milliseconds since the epoch that never jump."""

    def __init__(self) -> None:
        self.started_ms = time.time() * 1000
        self._started = time.monotonic()

    def now_ms(self) -> float:
        return self.started_ms + (time.monotonic() - self._started) * 1000


def _options(timeout: float | None, max_retries: int | None, headers: Mapping[str, str] | None) -> dict[str, Any]:
    seconds = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    timeout_ms = timeout * 1000 if seconds and timeout is not None else timeout
    return {"timeoutMs": timeout_ms, "maxRetries": max_retries, "headers": headers}


def _request(step: dict[str, Any]) -> Request:
    request = step["request"]
    body = request["body"]
    return Request(
        method=request["method"],
        url=request["url"],
        headers=dict(request["headers"]),
        body=None if body is None else body.encode(),
        timeout=step["timeoutMs"] / 1000,
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)
