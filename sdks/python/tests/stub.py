"""A small HTTP server with prepared responses."""

from __future__ import annotations

import json
import select
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


@dataclass(frozen=True)
class Answer:
    """A response. `hangs` never sends it; `together` waits until that number of requests have arrived."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drops: bool = False
    hangs: bool = False
    together: int = 1

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Seen:
    """A request that was received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: int


class Stub:
    """Sends its answers in order and repeats the last one. Closes connections after `idle_seconds`."""

    def __init__(self, *answers: Answer, idle_seconds: float | None = None) -> None:
        self.requests: list[Seen] = []
        self.arrived = threading.Event()
        self.hung_up = threading.Event()
        self.left = threading.Event()
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._meeting = threading.Barrier(max((answer.together for answer in answers), default=1), timeout=20)
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = idle_seconds

            def do_GET(self) -> None:
                stub._serve(self)

            def do_PUT(self) -> None:
                stub._serve(self)

            def finish(self) -> None:
                super().finish()
                stub.left.set()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.requests.append(Seen(handler.command, handler.path, headers, body, handler.client_address[1]))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self.arrived.set()
        time.sleep(answer.delay)
        if answer.together > 1:
            self._meeting.wait()
        if answer.hangs:
            select.select([handler.connection], [], [], 30)
            self.hung_up.set()
        if answer.hangs or answer.drops:
            handler.close_connection = True
            return
        content = answer.content()
        handler.send_response(answer.status)
        for name, value in {"content-length": str(len(content)), **answer.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
