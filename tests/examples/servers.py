"""Servers for the examples: the real one on a small fleet or with the demo, and a proxy that interferes."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
SERVER = TARGET / "opencomputer-usage-server"
ORG = "11111111-1111-4111-8111-111111111111"


class Api(NamedTuple):
    """The URL of a server, and a key for it."""

    url: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        return {"OPENCOMPUTER_API_URL": self.url, "OPENCOMPUTER_API_KEY": self.key}


@contextmanager
def demo() -> Iterator[Api]:
    """Serves the generated fleet of the demo."""
    with _started(["demo"], {}) as (url, lines):
        yield Api(url, next(lines).removeprefix("key ").strip())


@contextmanager
def serving(fleet: Iterable[dict[str, object]], directory: Path) -> Iterator[Api]:
    """Serves these lines of an import."""
    database = {"DATABASE_URL": f"sqlite://{directory / 'usage.db'}"}
    file = directory / "fleet.jsonl"
    file.write_text("\n".join(map(json.dumps, fleet)), "utf-8")
    _run(["import", str(file), "--org", ORG], database)
    key = _run(["keys", "create", "--org", ORG, "--name", "examples"], database).split()[-1]
    with _started(["serve"], database) as (url, _):
        yield Api(url, key)


def _run(arguments: list[str], environment: dict[str, str]) -> str:
    command = [str(SERVER), *arguments]
    return subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, text=True).stdout


@contextmanager
def _started(arguments: list[str], environment: dict[str, str]) -> Iterator[tuple[str, Iterator[str]]]:
    command = [str(SERVER), *arguments, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        try:
            yield next(lines).removeprefix("listening on ").strip(), lines
        finally:
            process.terminate()


@contextmanager
def proxy(api: Api, interfere: Callable[[str, int], int | None]) -> Iterator[Api]:
    """Forwards requests to a server.

    Before each, calls `interfere` with its method and how many of the method came before. If that returns a status, the
    request is answered with it and not forwarded.
    """
    counts: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            before = counts.get(self.command, 0)
            counts[self.command] = before + 1
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status = interfere(self.command, before)
            if status is not None:
                self.answer(status, {}, b"{}")
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(api.url + self.path, body or None, headers, method=self.command)
            try:
                with urllib.request.urlopen(request) as response:
                    self.answer(response.status, dict(response.headers), response.read())
            except urllib.error.HTTPError as error:
                self.answer(error.code, dict(error.headers), error.read())

        do_GET = do_PUT = forward  # noqa: N815 - names of the base class

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            kept = {name: value for name, value in headers.items() if name.lower() in {"etag", "content-encoding"}}
            for name, value in {**kept, "content-type": "application/json", "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield Api(f"http://127.0.0.1:{server.server_port}", api.key)
        finally:
            server.shutdown()
