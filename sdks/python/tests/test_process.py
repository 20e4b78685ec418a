"""Behavior of whole processes: imports, forks, descriptors and memory."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from samples import KEYS
from stub import Answer, Stub
from subprocesses import CLIENT, expect_output

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and limits need POSIX")
needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


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


def test_imports_and_calls_need_nothing_that_windows_lacks() -> None:
    script = """
        import os, sys
        for name in ("fork", "forkpty", "register_at_fork", "getuid", "geteuid", "uname"):
            delattr(os, name)
        del sys.abiflags
        for name in ("fcntl", "grp", "pwd", "resource", "termios"):
            sys.modules[name] = None
        from opencomputer_usage import AsyncUsageClient, UsageClient
        used = len(UsageClient(api_key="key", base_url=URL).tags.list_keys())
        # On Linux, asyncio itself needs it.
        del sys.modules["fcntl"]
        import asyncio
        print(used + len(asyncio.run(AsyncUsageClient(api_key="key", base_url=URL).tags.list_keys())))
    """
    with Stub(Answer(body=KEYS)) as stub:
        expect_output("2\n", script, stub.url)


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
        sys.version = "3.14.1 free-threading build (main, Dec  2 2025, 12:51:37) [GCC 12.2.0]"
        try:
            import opencomputer_usage
        except ImportError as error:
            print(error)
    """
    expect_output(
        "opencomputer_usage does not support free-threaded Python yet: use one with the global interpreter lock\n",
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


@pytest.mark.parametrize("pool", ["multiprocessing", "concurrent.futures"])
def test_processes_of_a_pool_use_the_client_of_their_parent_while_it_makes_calls(pool: str) -> None:
    script = f"""
        import concurrent.futures, multiprocessing, threading, warnings
        warnings.simplefilter("ignore")
        {CLIENT}
        def work(_): return len(client.tags.list_keys())
        stop = threading.Event()
        def call():
            while not stop.is_set(): work(0)
        thread = threading.Thread(target=call)
        thread.start()
        fork = multiprocessing.get_context("fork")
        if {pool!r} == "multiprocessing":
            pool = fork.Pool(3)
        else:
            pool = concurrent.futures.ProcessPoolExecutor(3, mp_context=fork)
        with pool:
            print(sum(pool.map(work, range(12))))
        stop.set()
        thread.join()
    """
    with Stub(Answer(body=KEYS)) as stub:
        expect_output("12\n", script, stub.url)


# The client has been used, and the parent has a call in flight when it forks the workers.
PRELOADED = """
import os, threading, time
client.tags.list_keys()
def call():
    while True:
        client.tags.list_keys()
threading.Thread(target=call, daemon=True).start()
def app(environ, start_response):
    used = len(client.tags.list_keys())
    # Keeps this worker busy, so that the other one gets a request, too.
    time.sleep(0.1)
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{os.getpid()} {used}".encode()]
"""


def ask(port: int) -> list[str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/")
    return connection.getresponse().read().decode().split()


def test_workers_of_gunicorn_use_the_client_that_was_built_before_the_fork(tmp_path: Path) -> None:
    with Stub(Answer(body=KEYS)) as stub, socket.create_server(("127.0.0.1", 0)) as listener:
        (tmp_path / "preloaded.py").write_text(f"URL = {stub.url!r}\n{CLIENT}\n{PRELOADED}")
        options = ["--preload", "--workers=2", f"--bind=fd://{listener.fileno()}", "--log-level=warning"]
        command = [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "preloaded:app"]
        gunicorn = subprocess.Popen(
            command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, pass_fds=[listener.fileno()]
        )
        workers, used = set(), set()
        try:
            with ThreadPoolExecutor(4) as pool:
                for _ in range(50):
                    answers = list(pool.map(ask, [listener.getsockname()[1]] * 4))
                    workers |= {worker for worker, _ in answers}
                    used |= {used for _, used in answers}
                    if len(workers) == 2:
                        break
        finally:
            gunicorn.terminate()
            log = gunicorn.communicate(timeout=60)[1]
    assert (len(workers), used, log, gunicorn.returncode) == (2, {"1"}, "", 0)
    assert str(gunicorn.pid) not in workers


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
