"""Connections: certificates, proxies, HTTP/2, slow and broken connections."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from samples import KEYS
from stub import Answer, Stub

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUTHORITY = trustme.CA()


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "roots.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return path


def keys(url: str, **options: Any) -> list[ocu.TagKey]:
    with ocu.UsageClient(api_key="key", base_url=url, max_retries=0, **options) as client:
        return client.tags.list_keys()


def context(*protocols: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost").configure_cert(made)
    if protocols:
        made.set_alpn_protocols(protocols)
    return made


@contextmanager
def secure() -> Iterator[str]:
    with Stub(Answer(body=KEYS)) as stub:
        stub._server.socket = context().wrap_socket(stub._server.socket, server_side=True)
        yield stub.url.replace("http://127.0.0.1", "https://localhost")


def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    with secure() as url, pytest.raises(ocu.APIConnectionError, match="certificate"):
        keys(url)


def test_a_file_of_certificates_is_trusted(bundle: Path) -> None:
    with secure() as url:
        assert len(keys(url, ssl_cert_file=bundle)) == 1
        assert len(keys(url, ssl_cert_file=str(bundle))) == 1


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_from_the_environment_are_trusted(
    variable: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(bundle))
    with secure() as url:
        assert len(keys(url)) == 1


@pytest.mark.parametrize("source", ["ssl_cert_file", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_file_without_certificates_is_refused_at_construction(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for file in (empty, tmp_path / "missing.pem", tmp_path):
        options: dict[str, Any] = {source: file} if source.islower() else {}
        if not options:
            monkeypatch.setenv(source, str(file))
        with pytest.raises(ocu.InvalidRequestError, match=source) as refused:
            ocu.UsageClient(api_key="key", base_url="https://api.example.com", **options)
        assert str(file) in str(refused.value)


def test_plain_http_needs_no_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(tmp_path / "missing"))
    with Stub(Answer(body=KEYS)) as stub:
        assert len(keys(stub.url)) == 1


def test_the_error_for_an_unknown_authority_advises_what_to_do() -> None:
    with secure() as url, pytest.raises(ocu.APIConnectionError, match="ssl_cert_file") as refused:
        keys(url)
    assert "SSL_CERT_FILE" in str(refused.value)
    assert url in str(refused.value)


def answer_with_a_tls_alert(listener: socket.socket) -> None:
    stream, _ = listener.accept()
    with stream:
        assert stream.recv(65_536).startswith(b"GET ")
        stream.sendall(b"\x15\x03\x01\x00\x02\x02\x46")


def test_the_error_for_a_wrong_scheme_advises_the_other_one() -> None:
    with Stub(Answer(body=KEYS)) as stub, pytest.raises(ocu.APIConnectionError, match="http://") as plain:
        keys(stub.url.replace("http:", "https:"))
    assert stub.url.replace("http:", "https:") in str(plain.value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_with_a_tls_alert, args=(listener,), daemon=True)
        thread.start()
        with pytest.raises(ocu.APIConnectionError, match="https://"):
            keys(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(10)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("entry", ["*", "example.com,*", "HOST", "HOST:PORT", "127.0.0.0/8, ::/0"])
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_request_goes_to_a_proxy_that_no_proxy_excludes(
    host: str, entry: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens at this port. The error shows that the request did not go through the proxy.
    monkeypatch.setenv(variable, entry.replace("HOST", host).replace("PORT", "9"))
    with Stub(Answer(body=KEYS)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(ocu.APIConnectionError, match="9"):
            keys(f"http://{host}:9")
    assert proxy.requests == []


@pytest.mark.skipif(sys.platform == "win32", reason="names of variables have no case")
def test_a_lower_case_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stub(Answer(body=KEYS)) as lower, Stub(Answer(body=KEYS)) as upper:
        monkeypatch.setenv("http_proxy", lower.url)
        monkeypatch.setenv("HTTP_PROXY", upper.url)
        assert len(keys("http://api.example.com")) == 1
    assert (len(lower.requests), len(upper.requests)) == (1, 0)


@pytest.mark.parametrize("proxy", ["ftp://proxy:1", "x://h", "http://[::1", "http://a b", "http://user:secret@["])
def test_an_unusable_proxy_is_refused_at_construction(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ocu.InvalidRequestError, match="the option `proxy`") as refused:
        ocu.UsageClient(api_key="key", base_url="http://api.example.com", proxy=proxy)
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(ocu.InvalidRequestError, match="HTTP_PROXY") as refused:
        ocu.AsyncUsageClient(api_key="key", base_url="http://api.example.com")
    assert "secret" not in str(refused.value)


def test_a_proxy_receives_the_whole_url() -> None:
    with Stub(Answer(body=KEYS)) as proxy:
        assert len(keys("http://api.example.com:8080", proxy=proxy.url)) == 1
    assert proxy.requests[0].path == "http://api.example.com:8080/api/tags"
    assert proxy.requests[0].headers["host"] == "api.example.com:8080"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_from_the_environment_is_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Stub(Answer(body=KEYS)) as proxy, Stub(Answer(body=KEYS)) as server:
        monkeypatch.setenv(variable, proxy.url)
        assert len(keys("http://api.example.com")) == 1
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert len(keys(server.url)) == 1
    assert (len(proxy.requests), len(server.requests)) == (1, 1)


def test_a_proxy_from_the_environment_can_use_tls(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        assert len(keys("http://api.example.com")) == 1


def test_https_goes_through_a_tunnel(bundle: Path) -> None:
    with Stub(Answer(502, b"")) as proxy, pytest.raises(ocu.APIConnectionError, match="tunnel"):
        keys("https://api.example.com", proxy=proxy.url, ssl_cert_file=bundle)


def inspect_tls(listener: socket.socket, authority: trustme.CA, opened: list[str]) -> None:
    """Accepts one tunnel and answers in place of its target host, with a certificate for that host."""
    raw, _ = listener.accept()
    with raw:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += raw.recv(1)
        target = request.split()[1].decode()
        raw.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(target.rpartition(":")[0]).configure_cert(made)
        with contextlib.suppress(ssl.SSLError), made.wrap_socket(raw, server_side=True) as stream:
            opened += [target, stream.recv(65_536).partition(b"\r\n")[0].decode()]
            body = json.dumps(KEYS).encode()
            stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_proxy_that_inspects_tls_is_trusted_by_its_authority(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, file, opened = trustme.CA(), tmp_path / "roots.pem", list[str]()
    # As companies do, its certificate is appended to those of other authorities.
    for each in (AUTHORITY, authority):
        each.cert_pem.write_to_path(file, append=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        for trusted in (False, True):
            thread = threading.Thread(target=inspect_tls, args=(listener, authority, opened), daemon=True)
            thread.start()
            if trusted:
                monkeypatch.setenv(variable, str(file))
                assert len(keys("https://api.example.com")) == 1
            else:
                with pytest.raises(ocu.APIConnectionError, match=r"certificate.*`ssl_cert_file`"):
                    keys("https://api.example.com")
            thread.join(20)
    assert opened == ["api.example.com:443", "GET /api/tags HTTP/1.1"]


def answer_once(listener: socket.socket, heads: list[str]) -> None:
    stream, _ = listener.accept()
    with stream:
        heads.append(stream.recv(65_536).decode())
        stream.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"keys":[]}')


@pytest.mark.skipif(not socket.has_ipv6, reason="the machine has no IPv6")
def test_a_base_url_may_have_an_ipv6_address() -> None:
    heads: list[str] = []
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        threading.Thread(target=answer_once, args=(listener, heads), daemon=True).start()
        port = listener.getsockname()[1]
        assert keys(f"http://[0:0::1]:{port}") == []
    assert f"host: [::1]:{port}\r\n" in heads[0].lower()


@pytest.mark.parametrize("option", ["connect_timeout", "read_timeout"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_an_invalid_timeout_is_refused(option: str, seconds: float) -> None:
    with pytest.raises(ocu.InvalidRequestError, match="timeout"):
        keys("https://api.example.com", **{option: seconds})


def test_a_response_that_stalls_is_a_timeout() -> None:
    with Stub(Answer(hangs=True)) as stub, pytest.raises(ocu.APITimeoutError, match=r"`read_timeout` is 0\.2 s"):
        keys(stub.url, read_timeout=0.2, timeout=20)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="queues are longer, or a full one refuses connections")
def test_a_server_that_accepts_no_connection_is_a_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # Fills the queue, so that the next connection waits forever.
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        with pytest.raises(ocu.APITimeoutError, match=r"`connect_timeout` is 0\.2 s"):
            keys(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout=0.2, timeout=20)
        for each in waiting:
            each.close()


def close_after_each(listener: socket.socket, count: int) -> None:
    body = json.dumps(KEYS).encode()
    for _ in range(count):
        stream, _ = listener.accept()
        with stream:
            assert stream.recv(65_536).startswith(b"GET /api/tags ")
            stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


def test_a_connection_that_closed_while_idle_is_not_reused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=close_after_each, args=(listener, 10), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with ocu.UsageClient(api_key="key", base_url=url, max_retries=0) as client:
            for _ in range(10):
                assert len(client.tags.list_keys()) == 1
                time.sleep(0.02)
        thread.join(10)


def serve_http2(listener: socket.socket, requests: list[dict[str, str]]) -> None:
    raw, _ = listener.accept()
    with context("h2", "http/1.1").wrap_socket(raw, server_side=True) as stream:
        assert stream.selected_alpn_protocol() == "h2"
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        stream.sendall(connection.data_to_send())
        while received := stream.recv(65_536):
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.RequestReceived):
                    requests.append({str(name): str(value) for name, value in event.headers or []})
                    connection.send_headers(event.stream_id or 0, [(":status", "200")])
                    connection.send_data(event.stream_id or 0, json.dumps(KEYS).encode(), end_stream=True)
            stream.sendall(connection.data_to_send())


def test_http2_is_used_with_a_server_that_supports_it(bundle: Path) -> None:
    requests: list[dict[str, str]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_http2, args=(listener, requests), daemon=True)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with ocu.UsageClient(api_key="key", base_url=url, ssl_cert_file=bundle) as client:
            assert [len(client.tags.list_keys()) for _ in range(3)] == [1, 1, 1]
        thread.join(10)
    assert [request[":path"] for request in requests] == ["/api/tags"] * 3
    assert requests[0]["x-api-key"] == "key"
