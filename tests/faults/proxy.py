"""A reverse proxy that misbehaves as `scenarios.json` says, between a client and the demo of the real server.

Takes the path of the server. Prints one line of JSON with the server's URL, an API key and its own URLs, one for each
scenario, and ends when its standard input does. The first requests to `/<label>/api/…` get the faults of the scenario,
later ones are only forwarded. Each label gets the faults once. `/report` at any URL reports the requests.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SCENARIOS = json.loads((Path(__file__).parent / "scenarios.json").read_text("utf-8"))["scenarios"]
# Clients read 64 MiB of a body.
BOMB_BYTES = 65 << 20
HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"

Fault = dict[str, Any]


@dataclass
class Message:
    """A request or a response: its first line, its headers and its body."""

    start: str
    headers: dict[str, str]
    body: bytes = b""

    def head(self) -> bytes:
        """Returns the bytes before the body."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def whole(self) -> bytes:
        """Returns the bytes of the message."""
        return self.head() + self.body

    def changed(self, body: bytes, **headers: str) -> bytes:
        """Returns the bytes of this message with another body, its length, and further headers."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        return Message(self.start, {**self.headers, "content-length": str(len(body)), **added}, body).whole()


@dataclass
class Seen:
    """A request, and the status of the real server's answer if it was forwarded."""

    request: Message
    status: int | None = None


@dataclass
class Run:
    """The faults of a scenario that are still ahead, and what one client sent."""

    faults: list[Fault]
    seen: list[Seen] = field(default_factory=list)
    held_until_next: list[Seen] = field(default_factory=list)
    held_until_answer: list[Seen] = field(default_factory=list)
    held_until_left: int = 0

    def report(self) -> dict[str, Any]:
        """Returns the methods of the requests, and how often each entity tag let a write through."""
        methods = [each.request.start.split(" ")[0] for each in self.seen]
        conditional = [each for each in self.seen if "if-match" in each.request.headers]
        applied = Counter(each.request.headers["if-match"] for each in conditional if each.status == 200)
        return {
            "requests": " ".join(methods),
            "statuses": [each.status for each in self.seen],
            "applied": sorted(applied.values()),
        }


async def read_message(reader: asyncio.StreamReader) -> Message:
    """Reads a message whose body has a known length."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:] if line)}
    return Message(lines[0], headers, await reader.readexactly(int(headers.get("content-length", 0))))


def garble(body: bytes) -> bytes:
    """Replaces two bytes by ones that no JSON contains."""
    middle = len(body) // 2
    return body[:middle] + b"\xff\x00" + body[middle + 2 :]


@cache
def bomb() -> bytes:
    """Returns a small body that decompresses to a large one."""
    return gzip.compress(b" " * BOMB_BYTES, 1)


# Each function turns the real server's answer into the bytes to send.
CHANGES: dict[str, Callable[[Message], bytes]] = {
    "garbled head": lambda answer: b"\x00\xffTTP" + answer.whole()[5:],
    "garbled body": lambda answer: answer.changed(garble(answer.body)),
    "huge head": lambda answer: answer.changed(answer.body, x_padding="x" * (1 << 20)),
    "early hints": lambda answer: HINTS * 3 + answer.whole(),
    "longer length": lambda answer: answer.changed(answer.body, content_length=str(len(answer.body) + 10)),
    "shorter length": lambda answer: answer.changed(answer.body, content_length=str(len(answer.body) - 10)),
    "bad chunk": lambda answer: (
        Message(answer.start, {"transfer-encoding": "chunked"}).whole() + b"5\r\n" + answer.body[:5] + b"\r\nxyz\r\n"
    ),
    "second answer": lambda answer: answer.whole() + answer.changed(b'{"keys":[]}'),
    "plain bytes as gzip": lambda answer: answer.changed(answer.body, content_encoding="gzip"),
    "cut gzip": lambda answer: answer.changed(gzip.compress(answer.body)[:-20], content_encoding="gzip"),
    "gzip bomb": lambda answer: answer.changed(bomb(), content_encoding="gzip"),
}


class Proxy:
    """The listening side, and what it saw."""

    def __init__(self, upstream: str, key: str) -> None:
        """Takes the URL of the real server and a key for it."""
        self.upstream = upstream
        self.key = key
        self.runs: dict[str, dict[int, Run]] = {}
        self.trapped = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.listening: list[asyncio.Server] = []

    async def listen(self, number: int) -> str:
        """Starts to listen for the clients of a scenario, and returns the URL."""
        server = await asyncio.start_server(partial(self.serve, number), "127.0.0.1", 0)
        self.listening.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection of a scenario's client."""
        self.open.add(writer)
        try:
            await self.converse(number, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client left, or the tests are over.
        finally:
            self.open.discard(writer)
            writer.close()

    async def converse(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of a connection, until a fault ends it."""
        end: str | None = None
        while True:
            request = await read_message(reader)
            method, target, version = request.start.split(" ")
            label, _, path = target[1:].partition("/")
            if label == "report":
                return await self.send_report(writer)
            if label == "trap":
                self.trapped += 1
                return None
            run = self.runs.setdefault(label, {}).setdefault(number, Run([*SCENARIOS[number]["faults"]]))
            seen = Seen(Message(f"{method} /{path} {version}", request.headers, request.body))
            # `tags.list_keys` is the healthy call after a scenario.
            if path == "api/tags":
                writer.write((await self.forward(seen)).whole())
                continue
            run.seen.append(seen)
            if end == "reset on reuse":
                return reset(writer)
            fault = run.faults.pop(0) if run.faults else {}
            answer = await self.pass_on(run, seen, fault)
            end = fault.get("end")
            await send(writer, answer, fault)
            if end == "reset":
                return reset(writer)
            if end == "close":
                return None
            if end == "stall":
                return await self.stall(run, seen, reader)

    async def pass_on(self, run: Run, seen: Seen, fault: Fault) -> Message | None:
        """Forwards a request and the ones held for it, in the order that the fault says."""
        for held in take(run.held_until_next):
            await self.forward(held)
        answer = None
        match fault.get("forward"):
            case "never":
                pass
            case "when the client left":
                run.held_until_left += 1
            case "before the next":
                run.held_until_next.append(seen)
            case "after the next":
                run.held_until_answer.append(seen)
            case _:
                answer = await self.forward(seen)
                for held in take(run.held_until_answer):
                    await self.forward(held)
        if "meanwhile" in fault:
            await self.write(seen.request, fault["meanwhile"])
        return answer

    async def stall(self, run: Run, seen: Seen, reader: asyncio.StreamReader) -> None:
        """Waits until the client leaves."""
        with suppress(ConnectionError):
            await reader.read()
        if run.held_until_left:
            await self.forward(seen)
            run.held_until_left -= 1

    async def forward(self, seen: Seen) -> Message:
        """Sends a request to the real server and returns its answer. Repeats it while the server is too busy."""
        while True:
            answer = await self.exchange(seen.request)
            seen.status = int(answer.start.split(" ")[1])
            if seen.status not in (429, 503):
                return answer
            await asyncio.sleep(0.1)

    async def exchange(self, request: Message) -> Message:
        """Sends a request to the real server once."""
        host, _, port = self.upstream.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        # `read_message` needs a length, and compressed responses have none.
        headers = {**request.headers, "connection": "close", "accept-encoding": "identity"}
        writer.write(Message(request.start, headers, request.body).whole())
        answer = await read_message(reader)
        writer.close()
        del answer.headers["connection"]
        return answer

    async def write(self, request: Message, tags: dict[str, str]) -> None:
        """Writes other tags to the sandbox of a request, as another client."""
        body = json.dumps(tags).encode()
        target = request.start.split(" ")[1].partition("?")[0]
        headers = {"host": "proxy", "x-api-key": self.key, "content-type": "application/json"}
        message = Message(f"PUT {target} HTTP/1.1", {**headers, "content-length": str(len(body))}, body)
        seen = Seen(message)
        await self.forward(seen)
        assert seen.status == 200, "the other writer failed"

    async def send_report(self, writer: asyncio.StreamWriter) -> None:
        """Sends what was seen, and the number of other open connections. Waits for requests that are forwarded late."""
        for _ in range(3000):
            if not any(run.held_until_left for runs in self.runs.values() for run in runs.values()):
                break
            await asyncio.sleep(0.01)
        runs = {label: {n: run.report() for n, run in runs.items()} for label, runs in self.runs.items()}
        report = {"open": len(self.open) - 1, "trapped": self.trapped, "runs": runs}
        writer.write(Message("HTTP/1.1 200 OK", {"connection": "close"}).changed(json.dumps(report).encode()))


def take(held: list[Seen]) -> list[Seen]:
    """Empties a list and returns what it held."""
    taken = [*held]
    held.clear()
    return taken


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes a connection with a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def send(writer: asyncio.StreamWriter, answer: Message | None, fault: Fault) -> None:
    """Sends the real answer, or what the fault makes of it."""
    await asyncio.sleep(fault.get("delayMs", 0) / 1000)
    if "answer" in fault:
        trap = "http://localhost:{}/trap".format(writer.get_extra_info("sockname")[1])
        return await flush(writer, fault["answer"].replace("$TRAP", trap).encode("latin-1"))
    if answer is None:
        return None
    if fault.get("endless"):
        await flush(writer, Message(answer.start, {"transfer-encoding": "chunked"}).whole())
        while True:
            await flush(writer, b"10000\r\n" + b" " * 0x10000 + b"\r\n")
    content = CHANGES[fault["change"]](answer) if "change" in fault else answer.whole()
    cuts = {"start": 0, "head": len(answer.head()) // 2, "body": len(content) - len(answer.body) // 2}
    if "cut" in fault:
        content = content[: cuts[fault["cut"]]]
    for byte in content[: fault.get("drip", 0)]:
        await flush(writer, bytes([byte]))
    content = content[fault.get("drip", 0) :]
    return await flush(writer, content)


async def flush(writer: asyncio.StreamWriter, content: bytes) -> None:
    """Sends bytes before any others are written."""
    writer.write(content)
    await writer.drain()
    await asyncio.sleep(0)


async def main(server: str) -> None:
    """Runs the server and the proxy until standard input ends."""
    process = await asyncio.create_subprocess_exec(
        server, "demo", "--listen", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        lines = [(await process.stdout.readline()).decode().split() for _ in range(2)]
        (*_, upstream), (*_, key) = lines
        proxy = Proxy(upstream, key)
        urls = [await proxy.listen(number) for number in range(len(SCENARIOS))]
        print(json.dumps({"server": upstream, "key": key, "urls": urls}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    finally:
        process.kill()
        await process.wait()


asyncio.run(main(sys.argv[1]))
