"""Behavior of whole processes: imports, forks, signals and exits."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

import pytest
from samples import KEYS
from stub import Answer, Stub

if TYPE_CHECKING:
    from pathlib import Path

needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

CLIENT = "from opencomputer_usage import UsageClient; client = UsageClient(api_key='key', base_url=URL, timeout=20)"


def start(script: str, url: str = "http://127.0.0.1:9") -> subprocess.Popen[str]:
    code = f"URL = {url!r}\n{textwrap.dedent(script)}"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"hangs: {process.communicate()}")


def expect_output(output: str, script: str, url: str = "http://127.0.0.1:9") -> None:
    process = start(script, url)
    assert (*finish(process), process.returncode) == (output, "", 0)


@needs_proc
def test_importing_starts_no_thread_and_opens_nothing() -> None:
    script = """
        import os, sys
        look = lambda: (len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")))
        before, opened = look(), []
        def audit(event, args):
            code = str(args[0]).endswith((".py", ".pyc", ".so")) if args else False
            if event == "open" and not code or event.startswith("socket."):
                opened.append((event, args))
        sys.addaudithook(audit)
        import opencomputer_usage
        opencomputer_usage.UsageClient(api_key="key", base_url="https://api.example.com")
        opencomputer_usage.AsyncUsageClient(api_key="key", base_url="https://api.example.com")
        opencomputer_usage.validate_tags({})
        print(before == look(), opened)
        heavy = {"asyncio", "dataclasses", "inspect", "json", "logging", "pydantic_core", "random", "socket", "ssl"}
        print(sorted(heavy & set(sys.modules)))
    """
    expect_output("True []\n[]\n", script)


def test_importing_and_making_a_client_for_plain_http_reads_no_certificate(tmp_path: Path) -> None:
    # Reading a pipe that nobody writes to would block forever.
    pipe = tmp_path / "roots.pem"
    os.mkfifo(pipe)
    script = f"""
        import os
        os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = {str(pipe)!r}
        from opencomputer_usage import UsageClient
        UsageClient(api_key="key", base_url="http://api.example.com")
        print("made")
    """
    expect_output("made\n", script)


def test_a_sub_interpreter_gets_a_clear_import_error() -> None:
    script = """
        import sys
        import opencomputer_usage
        if sys.version_info >= (3, 13):
            import _interpreters as interpreters
        else:
            import _xxsubinterpreters as interpreters
        other = interpreters.create()
        try:
            failure = interpreters.run_string(other, "import opencomputer_usage")
        except Exception as error:
            failure = error
        print("does not support" in repr(failure) or "subinterpreters" in str(failure))
    """
    expect_output("True\n", script)


def test_a_free_threaded_python_gets_a_clear_import_error() -> None:
    script = """
        import sys
        sys.abiflags = "t"
        try:
            import opencomputer_usage
        except ImportError as error:
            print(error)
    """
    expect_output(
        "opencomputer_usage has no wheel for free-threaded Python yet: use one with the global interpreter lock\n",
        script,
    )


def test_a_forked_child_and_its_parent_can_both_make_calls() -> None:
    script = f"""
        import os, warnings
        warnings.simplefilter("ignore")
        {CLIENT}
        used = len(client.tags.list_keys())
        child = os.fork()
        if child == 0:
            for _ in range(3):
                used += len(client.tags.list_keys())
            del client
            os._exit(used)
        used += len(client.tags.list_keys())
        print(used, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    with Stub(Answer(body=KEYS)) as stub:
        expect_output("2 4\n", script, stub.url)


def test_a_fork_while_other_threads_make_calls() -> None:
    script = f"""
        import os, threading, time, warnings
        warnings.simplefilter("ignore")
        {CLIENT}
        client.tags.list_keys()
        stop = threading.Event()
        def call():
            while not stop.is_set():
                client.tags.list_keys()
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads: thread.start()
        codes = []
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(len(client.tags.list_keys()))
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        stop.set()
        for thread in threads: thread.join()
        print(set(codes))
    """
    with Stub(Answer(body=KEYS)) as stub:
        expect_output("{1}\n", script, stub.url)


def test_asyncio_in_a_forked_child() -> None:
    script = """
        import asyncio, os, warnings
        warnings.simplefilter("ignore")
        from opencomputer_usage import AsyncUsageClient
        client = AsyncUsageClient(api_key="key", base_url=URL, timeout=20)
        async def main(): return len(await client.tags.list_keys())
        asyncio.run(main())
        child = os.fork()
        if child == 0:
            os._exit(asyncio.run(main()))
        print(asyncio.run(main()), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    with Stub(Answer(body=KEYS)) as stub:
        expect_output("1 1\n", script, stub.url)


def test_a_fork_while_an_event_loop_in_another_thread_makes_calls() -> None:
    script = """
        import asyncio, os, sys, threading, warnings
        warnings.simplefilter("ignore")
        from opencomputer_usage import AsyncUsageClient
        client = AsyncUsageClient(api_key="key", base_url=URL, timeout=20)
        stop = threading.Event()
        async def call(): return len(await client.tags.list_keys())
        async def calls():
            while not stop.is_set():
                await asyncio.gather(*(call() for _ in range(8)))
        thread = threading.Thread(target=asyncio.run, args=(calls(),))
        thread.start()
        codes = []
        for _ in range(10):
            child = os.fork()
            if child == 0:
                sys.exit(asyncio.run(call()))
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        stop.set()
        thread.join()
        print(set(codes))
    """
    with Stub(Answer(body=KEYS)) as stub:
        expect_output("{1}\n", script, stub.url)


def test_a_blocking_call_costs_one_descriptor() -> None:
    script = f"""
        import resource, threading
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        {CLIENT}
        done = []
        threads = [threading.Thread(target=lambda: done.append(len(client.tags.list_keys()))) for _ in range(200)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(sum(done))
    """
    with Stub(Answer(body=KEYS, together=200)) as stub:
        expect_output("200\n", script, stub.url)


@needs_proc
@pytest.mark.parametrize("kind", ["UsageClient", "AsyncUsageClient"])
def test_connections_that_the_server_closes_are_closed_without_another_call(kind: str) -> None:
    script = f"""
        import asyncio, os, threading, time
        from opencomputer_usage import AsyncUsageClient, UsageClient
        client = {kind}(api_key="key", base_url=URL, timeout=20)
        if {kind} is UsageClient:
            threads = [threading.Thread(target=client.tags.list_keys) for _ in range(20)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        else:
            async def main():
                await asyncio.gather(*(client.tags.list_keys() for _ in range(20)))
            asyncio.run(main())
        def sockets():
            links = [f"/proc/self/fd/{{name}}" for name in os.listdir("/proc/self/fd")]
            return sum(os.readlink(link).startswith("socket:") for link in links if os.path.islink(link))
        # The sockets of the runtime and of the event loop, which do not depend on the number of calls.
        few, end = 6, time.monotonic() + 10
        while sockets() > few and time.monotonic() < end:
            time.sleep(0.05)
        print(sockets() <= few)
    """
    with Stub(Answer(body=KEYS, together=20), idle_seconds=0.5) as stub:
        expect_output("True\n", script, stub.url)


def send_without_end(listener: socket.socket, status: int) -> None:
    stream, _ = listener.accept()
    with stream, contextlib.suppress(OSError):
        stream.recv(65_536)
        stream.sendall(b"HTTP/1.1 %d Any\r\nconnection: close\r\n\r\n" % status)
        while True:
            stream.sendall(b"[[]," * 65_536)


@needs_proc
@pytest.mark.parametrize("status", [200, 500])
def test_an_endless_body_takes_bounded_memory(status: int) -> None:
    script = f"""
        {CLIENT}
        def megabytes(name):
            line = next(line for line in open("/proc/self/status") if line.startswith(name))
            return int(line.split()[1]) // 1024
        before = megabytes("VmRSS")
        try:
            client.with_options(max_retries=0).tags.list_keys()
        except Exception as error:
            print(type(error).__name__, len(str(error.body)) <= 65536, megabytes("VmHWM") - before < 128)
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=send_without_end, args=(listener, status), daemon=True).start()
        name = "DecodeError" if status == 200 else "ServerError"
        expect_output(f"{name} True True\n", script, f"http://127.0.0.1:{listener.getsockname()[1]}")


INTERRUPTED = f"""
    import time
    {CLIENT}
    try:
        client.tags.list_keys()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


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
