"""The local authority: what it makes, what it refuses, and what it can never sign for."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from supervisor.console import certificates
from supervisor.console.certificates import (
    CA_FILE,
    CA_KEY,
    SERVER_FILE,
    SERVER_KEY,
    CertificateError,
    Names,
    found_names,
    issue,
    load_certificate,
    names_of,
    parse_names,
)

NOW = datetime.datetime.now(datetime.UTC)
NAMES = parse_names(["Console.Example.", "192.0.2.7", "[2001:db8::7]"])


def verify(folder: Path, certificate: str, *more: str) -> str:
    """Return what openssl says of a certificate under the authority of `folder`."""
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", *more, "-CAfile", CA_FILE, certificate],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_names_and_addresses_are_told_apart() -> None:
    assert NAMES.hosts == ("console.example",)
    assert [str(address) for address in NAMES.addresses] == ["192.0.2.7", "2001:db8::7"]
    assert parse_names(["a", "A", "fe80::1%eth0"]).all == ["a", "fe80::1"]


@pytest.mark.parametrize(
    "text", ["", "https://a", "a:8080", "*.a", "-a", "a_b", "192.0.2.300", "a b", "é.example"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(CertificateError, match="neither a host name nor an IP address"):
        parse_names([text])


def test_no_name_and_too_many_names_are_refused() -> None:
    with pytest.raises(CertificateError, match="no name"):
        parse_names([])
    with pytest.raises(CertificateError, match="more than"):
        parse_names([f"a{number}" for number in range(certificates.MAX_NAMES + 1)])


def test_this_machine_has_a_name_or_an_address() -> None:
    found = found_names()
    assert found.all
    assert not any(address.is_loopback for address in found.addresses)


def test_openssl_trusts_the_certificate_for_its_names_and_no_other(tmp_path: Path) -> None:
    issue(tmp_path, NAMES, renew=False, now=NOW)
    for right in (("-verify_hostname", "console.example"), ("-verify_ip", "192.0.2.7")):
        assert f"{SERVER_FILE}: OK" in verify(tmp_path, SERVER_FILE, *right)
    assert "IP address mismatch" in verify(tmp_path, SERVER_FILE, "-verify_ip", "192.0.2.8")
    assert "hostname mismatch" in verify(tmp_path, SERVER_FILE, "-verify_hostname", "example")


def test_the_files_are_private_and_the_times_are_those_that_browsers_take(tmp_path: Path) -> None:
    made = issue(tmp_path / "new", NAMES, renew=False, now=NOW)
    folder = tmp_path / "new"
    assert folder.stat().st_mode & 0o777 == 0o700
    for key in (CA_KEY, SERVER_KEY):
        assert (folder / key).stat().st_mode & 0o777 == 0o600
    ca, server = load_certificate(folder / CA_FILE), load_certificate(folder / SERVER_FILE)
    ten_years = ca.not_valid_after_utc - ca.not_valid_before_utc
    assert datetime.timedelta(days=3649) < ten_years <= datetime.timedelta(days=3650)
    held = server.not_valid_after_utc - server.not_valid_before_utc
    assert held < datetime.timedelta(days=397)
    assert server.not_valid_before_utc < NOW < server.not_valid_after_utc
    assert made.server_until == server.not_valid_after_utc
    assert isinstance(server.public_key(), ec.EllipticCurvePublicKey)
    assert names_of(server) == NAMES


def signed_by(folder: Path, *names: x509.GeneralName, ca: bool = False) -> str:
    """Return the file name of what a thief of the authority's key would make."""
    key = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    authority = load_certificate(folder / CA_FILE)
    own = ec.generate_private_key(ec.SECP256R1())
    identity = x509.SubjectKeyIdentifier.from_public_key
    made = (
        x509.CertificateBuilder()
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(hours=1))
        .not_valid_after(NOW + datetime.timedelta(days=30))
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Thief")]))
        .issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(identity(own.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "stolen.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return "stolen.pem"


@pytest.mark.parametrize("own", [["console.example"], ["192.0.2.7"], ["console.example", "::7"]])
@pytest.mark.parametrize(
    "foreign",
    [
        x509.DNSName("bank.example"),
        x509.DNSName("notconsole.example"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.8")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::8")),
        x509.RFC822Name("president@bank.example"),
    ],
    ids=["name", "longer-name", "v4", "v6", "mail"],
)
def test_a_stolen_authority_cannot_sign_for_anything_else(
    tmp_path: Path, own: list[str], foreign: x509.GeneralName
) -> None:
    issue(tmp_path, parse_names(own), renew=False, now=NOW)
    said = verify(tmp_path, signed_by(tmp_path, foreign))
    assert "permitted subtree violation" in said or "excluded subtree violation" in said


def test_the_constraints_alone_refuse_it(tmp_path: Path) -> None:
    """What a thief makes for the authority's own name is accepted: nothing else was wrong."""
    issue(tmp_path, NAMES, renew=False, now=NOW)
    assert ": OK" in verify(tmp_path, signed_by(tmp_path, x509.DNSName("console.example")))


def test_nothing_is_overwritten_without_saying_so(tmp_path: Path) -> None:
    issue(tmp_path, NAMES, renew=False, now=NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CertificateError, match=r"already holds.*--renew"):
        issue(tmp_path, NAMES, renew=False, now=NOW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("present", [CA_FILE, CA_KEY, SERVER_FILE, SERVER_KEY])
def test_one_file_that_is_there_is_enough_to_refuse(tmp_path: Path, present: str) -> None:
    (tmp_path / present).symlink_to("nowhere")
    with pytest.raises(CertificateError, match="already holds"):
        issue(tmp_path, NAMES, renew=False, now=NOW)


def test_renewing_keeps_the_authority_and_changes_the_rest(tmp_path: Path) -> None:
    first = issue(tmp_path, NAMES, renew=False, now=NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    later = NOW + datetime.timedelta(days=380)
    second = issue(tmp_path, None, renew=True, now=later)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert second.fingerprint == first.fingerprint and not second.new_ca
    assert second.names == NAMES and second.server_until > first.server_until
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {SERVER_FILE, SERVER_KEY}
    at = ("-attime", str(int(later.timestamp())))
    assert ": OK" in verify(tmp_path, SERVER_FILE, *at)


def test_renewing_never_outlives_the_authority(tmp_path: Path) -> None:
    first = issue(tmp_path, NAMES, renew=False, now=NOW)
    late = NOW + datetime.timedelta(days=3600)
    assert issue(tmp_path, None, renew=True, now=late).server_until == first.ca_until
    with pytest.raises(CertificateError, match="ended on"):
        issue(tmp_path, None, renew=True, now=NOW + datetime.timedelta(days=3660))


def test_renewing_for_fewer_names_works_and_for_others_does_not(tmp_path: Path) -> None:
    issue(tmp_path, NAMES, renew=False, now=NOW)
    fewer = Names(("a.console.example",), ())
    assert issue(tmp_path, fewer, renew=True, now=NOW).names == fewer
    for foreign in (["other.example"], ["xconsole.example"], ["192.0.2.8"]):
        with pytest.raises(CertificateError, match="may not sign for"):
            issue(tmp_path, parse_names(foreign), renew=True, now=NOW)


def test_renewing_without_an_authority_or_with_anothers_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="nothing to renew"):
        issue(tmp_path, NAMES, renew=True, now=NOW)
    issue(tmp_path, NAMES, renew=False, now=NOW)
    (tmp_path / CA_KEY).write_bytes((tmp_path / SERVER_KEY).read_bytes())
    with pytest.raises(CertificateError, match="does not belong"):
        issue(tmp_path, None, renew=True, now=NOW)
    (tmp_path / CA_KEY).write_text("no key")
    with pytest.raises(CertificateError, match="no key can be read"):
        issue(tmp_path, None, renew=True, now=NOW)
