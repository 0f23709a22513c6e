"""Where the console may listen, and what it says if it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from supervisor.console.config import ConsoleConfig
from supervisor.console.listening import ListenError, PortTakenError, bind, is_loopback


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("enkan.example", False),
    ],
)
def test_what_is_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_a_taken_port_is_an_error_or_another_port() -> None:
    with contextlib.closing(bind("console", "127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"\[console\] port {port} .*taken.*set another"):
            bind("console", "127.0.0.1", port)
        with contextlib.closing(bind("console", "127.0.0.1", port, fallback=True)) as second:
            assert second.getsockname()[1] != port


@pytest.mark.parametrize("address", ["enkan.example", "", "127.0.0.1.1", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_said_clearly(address: str) -> None:
    with pytest.raises(ListenError, match="console"):
        bind("console", address, 0)


def test_ipv6_works_where_the_machine_has_it() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        bound = bind("console", "::1", 0)
    except ListenError:
        pytest.skip("no IPv6 loopback here")
    with contextlib.closing(bound):
        assert bound.family == socket.AF_INET6


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"prot": 1}, ConsoleConfig)


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "192.168.1.5"])
def test_a_network_address_without_tls_is_refused_with_the_ways_out(
    make_hub: Any, listen: str
) -> None:
    with pytest.raises(ListenError, match=r"tls_certificate.*insecure_http = true"):
        make_hub(listen=listen)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tls_certificate": "/x.pem"}, "belong together"),
        ({"tls_certificate": "/none.pem", "tls_key": "/none.key"}, "cannot be used"),
        ({"public_origins": ["enkan.example"]}, "no origin"),
        ({"public_origins": ["https://enkan.example/"]}, "no origin"),
        ({"public_origins": ["ftp://enkan.example"]}, "no origin"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(
    make_hub: Any, settings: dict[str, Any], why: str
) -> None:
    with pytest.raises(ListenError, match=why):
        make_hub(**settings)


@pytest.mark.integration
async def test_a_taken_port_stops_the_console_without_a_fallback(make_hub: Any) -> None:
    with contextlib.closing(bind("other", "127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError):
            async with make_hub(port=port):
                pass
        async with make_hub(port=port, fallback_ports=True) as hub, hub.client() as client:
            assert hub.console.port != port
            assert (await client.get("/healthz")).status_code == 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 "
        "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    made = subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(certificate)], capture_output=True
    )
    if made.returncode:
        pytest.skip("openssl cannot make a certificate here")
    return certificate, key


@pytest.mark.integration
async def test_over_https_the_cookie_is_bound_to_the_host(
    make_hub: Any, certificate: tuple[Path, Path]
) -> None:
    settings = {"tls_certificate": str(certificate[0]), "tls_key": str(certificate[1])}
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    async with make_hub(**settings) as hub:
        assert hub.url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(base_url=hub.url, verify=trusted, trust_env=False) as client:
            client.headers["Origin"] = hub.url
            form = {"name": "aoki", "password": "correct horse battery"}
            answer = await client.post("/api/session", json=form)
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-enkan=")
            assert "Secure" in cookie and "Path=/" in cookie and "HttpOnly" in cookie
            assert "strict-transport-security" in answer.headers
            assert (await client.get("/version")).status_code == 200
            async with hub.socket(client, ssl=trusted) as socket:
                assert (await hub.receive(socket)).account == "aoki"


@pytest.mark.integration
@pytest.mark.parametrize("start", [b"", b"GET /heal", b"GE"])
async def test_a_request_head_that_never_ends_is_cut(
    make_hub: Any, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr("supervisor.console.listening.HEAD_WITHIN_S", 0.2)
    async with make_hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.console.port)
        if start == b"GE":  # the second request of a connection
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in await reader.readline()
            await reader.readuntil(b"ok\n")
        writer.write(start)
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(1_000):
                    pass
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()


@pytest.mark.integration
async def test_a_websocket_outlives_the_patience_for_a_request_head(
    make_hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.console.listening.HEAD_WITHIN_S", 1.0)
    async with make_hub() as hub, hub.sign_in() as client, hub.socket(client) as socket:
        for _ in range(6):  # welcome, snapshot, then one a second
            await hub.receive(socket)


@pytest.mark.integration
async def test_what_is_no_http_is_counted_and_not_logged(
    make_hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with make_hub() as hub:
        for rubbish in (b"\x16\x03\x01\x00\n\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 40_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.console.port)
            writer.write(rubbish)
            async with asyncio.timeout(20):
                assert b" 400 " in await reader.readline()
                await reader.read()
            writer.close()
            await writer.wait_closed()
        assert hub.counters.get("http_refused", "bad_http") == 3
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]
