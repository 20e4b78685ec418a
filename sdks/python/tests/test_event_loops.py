"""The async client on event loops of other libraries, and calls that are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio
from samples import KEY, KEYS
from stub import Answer, Stub

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from typing_extensions import Self


def refuse(*_: object) -> None:
    raise NotImplementedError


def loop_without_readers() -> asyncio.AbstractEventLoop:
    """Returns a loop that watches no descriptors and handles no signals for others, like the default one of Windows."""
    loop = asyncio.SelectorEventLoop()
    for kind in ("reader", "writer", "signal_handler"):
        setattr(loop, f"add_{kind}", refuse)
        setattr(loop, f"remove_{kind}", refuse)
    return loop


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "without readers": loop_without_readers,
}
if sys.platform != "win32":
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop


Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on a loop. Fails if the loop reports an unhandled error."""

    def run(main: Coroutine[Any, Any, None]) -> None:
        unseen: list[dict[str, Any]] = []
        with contextlib.closing(LOOPS[request.param]()) as loop:
            loop.set_exception_handler(lambda _, context: unseen.append(context))
            loop.run_until_complete(asyncio.wait_for(main, 60))
            loop.run_until_complete(loop.shutdown_asyncgens())
        assert unseen == []

    return run


class Silent:
    """Accepts connections and never answers: neither a request nor the handshake of TLS."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.hung_up = threading.Semaphore(0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self._listener.accept()
                threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError):
            stream.recv(65_536)
            self.arrived.release()
            while stream.recv(65_536):
                pass
        self.hung_up.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


async def seen(event: threading.Semaphore) -> None:
    assert await asyncio.to_thread(event.acquire, timeout=20)


async def arrived(stub: Stub, count: int) -> None:
    while len(stub.requests) < count:
        await asyncio.sleep(0.01)


async def cancelled(call: Awaitable[object]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cancelling_closes_the_connection_even_during_the_handshake(scheme: str, run: Run) -> None:
    async def main(silent: Silent) -> None:
        async with ocu.AsyncUsageClient(api_key=KEY, base_url=f"{scheme}://127.0.0.1:{silent.port}") as client:
            task = asyncio.ensure_future(client.tags.list_keys())
            await seen(silent.arrived)
            task.cancel()
            await cancelled(task)
            await seen(silent.hung_up)

    with Silent() as silent:
        run(main(silent))
        assert not silent.arrived.acquire(blocking=False)


def test_cancelling_before_the_call_began_sends_nothing(run: Run) -> None:
    async def main(url: str) -> None:
        task = asyncio.ensure_future(ocu.AsyncUsageClient(api_key=KEY, base_url=url).tags.list_keys())
        task.cancel()
        await cancelled(task)

    with Stub(Answer(body=KEYS)) as stub:
        run(main(stub.url))
    assert stub.requests == []


def test_cancelling_twice_ends_a_call_and_the_call_that_cleans_up_after_it(run: Run) -> None:
    async def main(silent: Silent) -> None:
        async with ocu.AsyncUsageClient(api_key=KEY, base_url=f"http://127.0.0.1:{silent.port}") as client:

            async def work() -> None:
                try:
                    await client.tags.update("sb-1", lambda tags: tags)
                finally:
                    await client.tags.list_keys()

            task = asyncio.ensure_future(work())
            await seen(silent.arrived)
            task.cancel()
            # Has no effect: the first one has not been delivered yet.
            task.cancel()
            await seen(silent.arrived)
            await seen(silent.hung_up)
            task.cancel()
            await cancelled(task)
            await seen(silent.hung_up)

    with Silent() as silent:
        run(main(silent))


def test_a_client_works_after_a_cancelled_call(run: Run) -> None:
    async def main(stub: Stub) -> None:
        async with ocu.AsyncUsageClient(api_key=KEY, base_url=stub.url) as client:
            task = asyncio.ensure_future(client.tags.list_keys())
            await arrived(stub, 1)
            task.cancel()
            results = await asyncio.gather(*(client.tags.list_keys() for _ in range(8)))
            assert [len(result) for result in results] == [1] * 8
            await cancelled(task)

    with Stub(Answer(hangs=True), Answer(body=KEYS)) as stub:
        run(main(stub))


if sys.version_info >= (3, 11):

    def test_asyncio_timeout_ends_a_call_and_the_task_goes_on(run: Run) -> None:
        async def main(stub: Stub) -> None:
            async def expire(scope: asyncio.Timeout, count: int) -> None:
                await arrived(stub, count)
                scope.reschedule(asyncio.get_running_loop().time())

            async def until_expired(client: ocu.AsyncUsageClient, count: int) -> None:
                async with asyncio.timeout(None) as scope:
                    soon = asyncio.ensure_future(expire(scope, count))
                    try:
                        await client.tags.list_keys()
                    finally:
                        await soon

            async with ocu.AsyncUsageClient(api_key=KEY, base_url=stub.url) as client:
                task = asyncio.current_task()
                assert task
                for count in (1, 2):
                    with pytest.raises(TimeoutError):
                        await until_expired(client, count)
                    assert task.cancelling() == 0
                async with asyncio.timeout(60):
                    assert len(await client.tags.list_keys()) == 1

        with Stub(Answer(hangs=True), Answer(hangs=True), Answer(body=KEYS)) as stub:
            run(main(stub))


def test_a_timeout_of_the_client_is_its_own_error_inside_another_timeout(run: Run) -> None:
    async def main(silent: Silent) -> None:
        url = f"http://127.0.0.1:{silent.port}"
        async with ocu.AsyncUsageClient(api_key=KEY, base_url=url, timeout=0.1) as client:
            with pytest.raises(ocu.APITimeoutError):
                await asyncio.wait_for(client.tags.list_keys(), 60)

    with Silent() as silent:
        run(main(silent))


def test_anyio_on_asyncio_runs_and_cancels_calls() -> None:
    async def main(stub: Stub) -> None:
        async with ocu.AsyncUsageClient(api_key=KEY, base_url=stub.url) as client:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(client.tags.list_keys)
                    await arrived(stub, 1)
                    scope.cancel()
            assert scope.cancelled_caught
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(client.tags.list_keys)

    with Stub(Answer(hangs=True), Answer(body=KEYS)) as stub:
        anyio.run(main, stub)
    assert len(stub.requests) == 9


@pytest.mark.parametrize("with_transport", [False, True])
def test_trio_gets_a_clear_error_and_may_use_the_blocking_client(*, with_transport: bool) -> None:
    async def transport(_: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        pytest.fail("the transport was called")

    async def main(url: str) -> None:
        client = ocu.AsyncUsageClient(api_key=KEY, base_url=url, transport=transport if with_transport else None)
        for call in (client.tags.list_keys, client.usage.by_sandbox):
            with pytest.raises(RuntimeError, match="AsyncUsageClient needs asyncio: under trio, call a UsageClient"):
                await call()
        with pytest.raises(RuntimeError, match="AsyncUsageClient needs asyncio"):
            await client.tags.update("sb-1", lambda tags: tags)
        with ocu.UsageClient(api_key=KEY, base_url=url) as blocking:
            assert len(await trio.to_thread.run_sync(blocking.tags.list_keys)) == 1

    with Stub(Answer(body=KEYS)) as stub:
        trio.run(main, stub.url)
    assert len(stub.requests) == 1
