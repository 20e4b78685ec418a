"""Signals and exits while calls are in flight."""

from __future__ import annotations

import os
import select
import signal
import time

import pytest
from samples import KEYS
from stub import Answer, Stub
from subprocesses import CLIENT, expect_output, finish, start

# A shell starts jobs in the background with an ignored SIGINT.
INTERRUPTED = f"""
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    {CLIENT}
    try:
        client.tags.list_keys()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize(
    "answer",
    [Answer(hangs=True), Answer(503, {"error": "later"}, {"Retry-After": "15"})],
    ids=["an answer", "a retry"],
)
def test_ctrl_c_interrupts_a_call_that_waits_for(answer: Answer) -> None:
    with Stub(answer) as stub:
        process = start(INTERRUPTED, stub.url)
        assert stub.arrived.wait(10)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 10)[0]
        assert process.stdout.readline() == "interrupted\n"
        # The signal ended the wait: the server sent no answer and received no retry.
        assert len(stub.requests) == 1
        assert finish(process)[1] == ""


@pytest.mark.parametrize(
    "script",
    [
        f"""
        import threading
        {CLIENT}
        threading.Thread(target=client.tags.list_keys, daemon=True).start()
        READY
        """,
        """
        import asyncio
        from opencomputer_usage import AsyncUsageClient
        async def main():
            task = asyncio.create_task(AsyncUsageClient(api_key="key", base_url=URL).tags.list_keys())
            await asyncio.sleep(0)
            await asyncio.to_thread(lambda: READY)
        asyncio.run(main())
        """,
        """
        import asyncio, threading
        from opencomputer_usage import AsyncUsageClient
        async def main():
            client = AsyncUsageClient(api_key="key", base_url=URL)
            await asyncio.gather(*(client.tags.list_keys() for _ in range(32)))
        threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
        READY
        """,
    ],
    ids=["a thread", "asyncio", "asyncio in a daemon thread"],
)
def test_exiting_with_a_call_in_flight_neither_crashes_nor_hangs(script: str) -> None:
    with Stub(Answer(hangs=True)) as stub:
        process = start(script.replace("READY", "__import__('time').sleep(0.5)"), stub.url)
        assert stub.arrived.wait(10)
        assert (*finish(process), process.returncode) == ("", "", 0)


def test_exiting_while_results_are_delivered_never_crashes() -> None:
    script = """
        import asyncio, threading, time
        from opencomputer_usage import AsyncUsageClient
        async def calls():
            client = AsyncUsageClient(api_key="key", base_url=URL)
            while True:
                await asyncio.gather(*(client.tags.list_keys() for _ in range(8)))
        threading.Thread(target=asyncio.run, args=(calls(),), daemon=True).start()
        time.sleep(0.2)
    """
    with Stub(Answer(body=KEYS)) as stub:
        for _ in range(5):
            for process in [start(script, stub.url) for _ in range(4)]:
                _, errors = finish(process)
                assert process.returncode == 0, errors


def test_async_calls_of_exit_handlers_work_until_delivery_stops() -> None:
    script = """
        import asyncio, atexit
        def call():
            try:
                print(len(asyncio.run(client.tags.list_keys())))
            except RuntimeError as error:
                print(error)
        atexit.register(call)
        from opencomputer_usage import AsyncUsageClient
        client = AsyncUsageClient(api_key="key", base_url=URL)
        atexit.register(call)
    """
    with Stub(Answer(body=KEYS)) as stub:
        expect_output("1\nno async call can be made while the interpreter exits\n", script, stub.url)


def test_results_that_arrive_after_their_loop_is_closed_are_dropped() -> None:
    script = """
        import asyncio, gc, time, weakref
        from opencomputer_usage import AsyncUsageClient
        client = AsyncUsageClient(api_key="key", base_url=URL)
        async def main():
            # The futures are not awaited, so closing the loop does not cancel the calls.
            for _ in range(4):
                waiting.append(client.tags.list_keys().__await__())
                next(waiting[-1])
            return weakref.ref(asyncio.get_running_loop())
        waiting = []
        loop = asyncio.run(main())
        time.sleep(0.4)
        del waiting
        print(len(asyncio.run(client.tags.list_keys())))
        gc.collect()
        print(loop())
    """
    with Stub(Answer(body=KEYS, delay=0.1)) as stub:
        expect_output("1\nNone\n", script, stub.url)


def test_results_that_arrive_while_the_interpreter_exits_are_dropped() -> None:
    script = """
        import asyncio
        from opencomputer_usage import AsyncUsageClient
        client = AsyncUsageClient(api_key="key", base_url=URL)
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(client.tags.list_keys()) for _ in range(32)]
        loop.run_until_complete(asyncio.sleep(0.1))
        import os, sys, logging
        logging.disable()
        sys.unraisablehook = lambda *_: None
    """
    with Stub(Answer(body=KEYS, delay=0.15)) as stub:
        process = start(script, stub.url)
        finish(process)
        assert process.returncode == 0


def test_exiting_right_after_an_async_call_never_crashes() -> None:
    script = """
        import asyncio
        from opencomputer_usage import AsyncUsageClient

        async def call():
            async with AsyncUsageClient(api_key="key", base_url=URL) as client:
                await client.tags.list_keys()

        asyncio.run(call())
        print("over")
    """
    with Stub(Answer(body=KEYS)) as stub:
        for _ in range(10):
            # In parallel, because a busy machine varies the moment at which threads meet the exit.
            for process in [start(script, stub.url) for _ in range(4)]:
                assert (*finish(process), process.returncode) == ("over\n", "", 0)


def test_exiting_while_daemon_threads_make_calls_never_crashes() -> None:
    script = f"""
        import threading, time
        {CLIENT}
        def call():
            while True:
                client.tags.list_keys()
        for _ in range(8): threading.Thread(target=call, daemon=True).start()
        time.sleep(0.4)
    """
    with Stub(Answer(body=KEYS)) as stub:
        for process in [start(script, stub.url) for _ in range(4)]:
            assert (*finish(process), process.returncode) == ("", "", 0)
