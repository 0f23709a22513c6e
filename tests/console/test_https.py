"""The console over https with certificates of `enkan certs`, and the help for getting there."""

from __future__ import annotations

import datetime
import ssl
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from typer.testing import CliRunner

from supervisor import cli
from supervisor.console import certificate_watch
from supervisor.console.certificates import CA_FILE, fingerprint, issue, parse_names
from supervisor.console.config import ConsoleConfig, check, plain_on_network
from supervisor.console.listening import ListenError

NOW = datetime.datetime.now(datetime.UTC)


def settings_of(folder: Path) -> dict[str, str]:
    return {
        "tls_certificate": str(folder / "console.pem"),
        "tls_key": str(folder / "console.key"),
        "tls_ca": str(folder / CA_FILE),
    }


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    folder = tmp_path / "certs"
    issue(folder, parse_names(["127.0.0.1", "console.test"]), renew=False, now=NOW)
    return folder


def trusting(hub: Any, folder: Path) -> httpx.AsyncClient:
    """Return a client that trusts this authority and nobody else."""
    context = ssl.create_default_context(cafile=str(folder / CA_FILE))
    client: httpx.AsyncClient = hub.client(verify=context)
    return client


def test_the_command_prints_lines_that_the_hub_takes(tmp_path: Path) -> None:
    out = tmp_path / "made here"
    done = CliRunner().invoke(cli.app, ["certs", "--out", str(out), "127.0.0.1", "console.test"])
    assert done.exit_code == 0, done.output
    pasted = done.output[done.output.index("[console]") : done.output.index("Then have")]
    section = tomllib.loads(pasted)["console"]
    check(ConsoleConfig(**section))
    assert section["public_origins"] == ["https://console.test:8080"]
    authority = x509.load_der_x509_certificate((out / "enkan-ca.crt").read_bytes())
    assert fingerprint(authority) in done.output
    for language, word in (("ja", "信頼されたルート証明機関"), ("en", "Trusted Root")):
        page = (out / f"help-{language}.html").read_text(encoding="utf-8")
        assert word in page and "console.test" in page and 'href="enkan-ca.crt"' in page
        assert "<script" not in page and "http://" not in page.replace("http://127", "")
    again = CliRunner().invoke(cli.app, ["certs", "--out", str(out), "--renew"])
    assert again.exit_code == 0 and "The authority is the same" in again.output


@pytest.mark.integration
async def test_a_client_that_trusts_the_authority_reaches_the_console(
    make_hub: Any, certs: Path
) -> None:
    async with make_hub(**settings_of(certs)) as hub:
        assert hub.url.startswith("https://127.0.0.1:")
        async with trusting(hub, certs) as client:
            ready = (await client.get("/readyz")).json()
            assert ready["certificate_days_left"] == 396
            page = (await client.get("/help/https")).text
            assert "<code>console.test</code>" in page and "信頼" in page
            ca = await client.get("/help/enkan-ca.crt")
            assert ca.headers["content-type"] == "application/x-x509-ca-cert"
            authority = x509.load_der_x509_certificate(ca.content)
            assert fingerprint(authority).replace(":", ":<wbr>") in page
        async with httpx.AsyncClient(trust_env=False) as stranger:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await stranger.get(hub.url)


@pytest.mark.integration
async def test_a_renewed_certificate_is_taken_up_without_a_restart(
    make_hub: Any, certs: Path
) -> None:
    async with make_hub(**settings_of(certs)) as hub:
        watch = hub.console.certificate
        first = watch.certificate
        key = (certs / "console.key").read_bytes()
        issue(certs, None, renew=True, now=NOW)
        renewed_key = (certs / "console.key").read_bytes()
        (certs / "console.key").write_bytes(key)
        assert not watch.look(), "a pair that does not fit changes nothing"
        async with trusting(hub, certs) as client:
            assert (await client.get("/healthz")).status_code == 200
        (certs / "console.key").write_bytes(renewed_key)
        assert watch.look() and watch.certificate != first
        assert not watch.look(), "nothing is new"
        async with (
            trusting(hub, certs) as client,
            client.stream("GET", "/healthz") as answer,
        ):
            tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
            served = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
            assert served == watch.certificate


@pytest.mark.integration
async def test_the_help_is_there_for_everyone_over_plain_http_too(hub: Any) -> None:
    async with hub.client() as client:
        for language, word in (("ja", "認証局"), ("en", "Ask your administrator for it")):
            page = await client.get(f"/help/https/{language}")
            assert page.status_code == 200 and word in page.text
            assert "<script" not in page.text and "style=" not in page.text
        assert (await client.get("/help/https/fr")).status_code == 404
        missing = await client.get("/help/enkan-ca.crt")
        assert missing.status_code == 404 and "tls_ca" in missing.json()["detail"]
        assert "certificate_days_left" not in (await client.get("/readyz")).json()


def test_the_authority_to_offer_must_be_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match=r"tls_ca.*no certificate can be read"):
        check(ConsoleConfig(tls_ca=str(tmp_path / "none.pem")))


def test_plain_http_counts_as_such_on_a_network_only() -> None:
    assert plain_on_network(ConsoleConfig(listen="0.0.0.0", insecure_http=True))
    assert not plain_on_network(ConsoleConfig())
    assert not plain_on_network(ConsoleConfig(listen="0.0.0.0", tls_certificate="/x", tls_key="/y"))


@pytest.mark.parametrize(
    ("days", "level", "said"),
    [(100, "INFO", "holds for 100"), (29, "WARNING", "ends in 29"), (-1, "ERROR", "HAS ENDED")],
)
def test_a_near_end_is_said_once_a_day(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    days: int,
    level: str,
    said: str,
) -> None:
    made = issue(tmp_path, parse_names(["127.0.0.1"]), renew=False, now=NOW)
    at = made.server_until - datetime.timedelta(days=days)
    clock_ns = [int(at.timestamp() * 1e9)]
    monkeypatch.setattr(certificate_watch.clock, "utc_ns", lambda: clock_ns[0])
    watch = certificate_watch.CertificateWatch(ConsoleConfig(**settings_of(tmp_path)))
    with caplog.at_level("INFO", "enkan.console"):
        watch.tell()
        watch.tell()
        assert [record.levelname for record in caplog.records] == [level]
        assert said in caplog.text
        clock_ns[0] += 86_400 * 1_000_000_000
        watch.tell()
    assert len(caplog.records) == (1 if days == 100 else 2)
