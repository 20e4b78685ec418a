"""Bodies that are too long, or that expand, in processes of their own, because their memory is measured."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from subprocesses import expect_output

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory as Linux reports it")

MIB = 1 << 20
BOMB = gzip.compress(b" " * (256 * MIB), 1)

# Prints the error of a call and whether memory grew by less than twice the limit of a body.
MEASURED = """
import asyncio, resource
from opencomputer_usage import AsyncUsageClient, DecodeError, UsageClient
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
async def awaited():
    async with AsyncUsageClient(api_key="key", base_url=URL, max_retries=0, timeout=60) as client:
        await client.tags.list_keys()
def blocking():
    with UsageClient(api_key="key", base_url=URL, max_retries=0, timeout=60) as client:
        client.tags.list_keys()
before = peak()
try:
    asyncio.run(awaited()) if ASYNC else blocking()
except DecodeError as error:
    print(NEEDLE in str(error), peak() - before < 192)
"""


@contextmanager
def server(head: bytes, part: bytes, times: int) -> Iterator[str]:
    """Sends a head and then a part of a body several times, or until the client leaves."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
                    for _ in range(times):
                        connection.sendall(part)
                except OSError:
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


CHUNK = b"100000\r\n" + b" " * MIB + b"\r\n"
SENT = {
    "endless": (b"transfer-encoding: chunked\r\n", CHUNK, 1 << 20, "longer than 64 MiB"),
    "announced": (b"content-length: 68719476736\r\n", b"{", 1, "longer than 64 MiB"),
    "bomb": (b"content-encoding: gzip\r\ncontent-length: %d\r\n" % len(BOMB), BOMB, 1, "compressed"),
    "unannounced bomb": (b"content-length: %d\r\n" % len(BOMB), BOMB, 1, "gzip"),
}


@pytest.mark.parametrize("kind", ["blocking", "async"])
@pytest.mark.parametrize("sent", SENT)
def test_a_body_beyond_the_limit_is_an_error_and_bounded_in_memory(sent: str, kind: str) -> None:
    head, part, times, needle = SENT[sent]
    with server(head, part, times) as url:
        script = f"ASYNC, NEEDLE = {kind == 'async'}, {needle!r}\n{MEASURED}"
        expect_output("True True\n", script, url)
