"""The shared suite `transport`: calls against a TCP server that follows a script."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from test_vectors import PYTHON_NAMES, Case, check, plain, suite

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Script:
    """A server that follows one entry of a script for each connection, and records the requests."""

    def __init__(self, connections: list[dict[str, str]]) -> None:
        self.requests: list[str] = []
        self._ahead = list(connections)
        self._streams: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

        self._has_ended = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closed while the thread accepts, the listener's descriptor could become that of the next test's listener.
        self._has_ended = True
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        for each in (self._listener, *self._streams):
            each.close()

    def _accept(self) -> None:
        while True:
            stream, _ = self._listener.accept()
            self._streams.append(stream)
            if self._has_ended:
                return
            self.requests.append(read_request(stream))
            self._follow(stream, self._ahead.pop(0) if self._ahead else {})

    def _follow(self, stream: socket.socket, step: dict[str, str]) -> None:
        stream.sendall(step.get("answer", "").encode())
        end = step.get("end")
        if end == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end != "hold":
            stream.close()


def read_request(stream: socket.socket) -> str:
    """Reads a request with its body; returns its method and target."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += stream.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: (\d+)", head, re.MULTILINE)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        missing -= len(stream.recv(missing))
    return " ".join(head.decode().split(" ", 2)[:2])


def options(case: Case, server: Script) -> dict[str, Any]:
    timeout = {"timeout": case["timeoutMs"] / 1000} if "timeoutMs" in case else {}
    return {"api_key": "key", "base_url": server.url, "max_retries": case["maxRetries"], **timeout}


def method(client: Any, case: Case) -> Any:
    group, name = case["operation"].split(".")
    arguments = {PYTHON_NAMES.get(name, name): value for name, value in case["params"].items()}
    return getattr(getattr(client, group), name)(**arguments)


@suite("transport")
def test_transport(case: Case) -> None:
    with Script(case["connections"]) as server, ocu.UsageClient(**options(case, server)) as client:
        check(case, lambda: plain(method(client, case)), case.get("result"))
    assert server.requests == case["requests"]


@suite("transport")
def test_async_transport(case: Case) -> None:
    async def main(server: Script) -> object:
        async with ocu.AsyncUsageClient(**options(case, server)) as client:
            return plain(await method(client, case))

    with Script(case["connections"]) as server:
        check(case, lambda: asyncio.run(main(server)), case.get("result"))
    assert server.requests == case["requests"]
