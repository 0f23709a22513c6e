"""The console's certificate: readable, of its key, in its time, for its names."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from supervisor import clock
from supervisor.console.certificate_watch import WARN_DAYS
from supervisor.console.certificates import CertificateError, load_certificate, names_of
from supervisor.console.config import ConsoleConfig, check, plain_on_network
from supervisor.console.listening import ListenError
from supervisor.doctor.finding import Finding, Subject

OTHERS: Final = 0o077


def check_certificate(subject: Subject) -> list[Finding]:
    """Read the files as the hub does, then look at dates, names and the key's mode."""
    assert subject.config is not None
    console = subject.config.console
    try:
        check(console)
        certificate = (
            load_certificate(Path(console.tls_certificate)) if console.tls_certificate else None
        )
    except (CertificateError, ListenError) as error:
        return [Finding("certificate.refused", fill={"reason": str(error)})]
    if certificate is None:
        plain = plain_on_network(console)
        return [Finding("certificate.plain" if plain else "certificate.none", console.listen)]
    now = datetime.datetime.fromtimestamp(clock.utc_ns() / 1e9, datetime.UTC)
    findings = [Finding("certificate.fits", console.tls_certificate)]
    findings.append(judge_dates(console.tls_certificate, certificate, now))
    findings.append(judge_names(certificate, wanted_names(console)))
    findings.append(judge_key(console.tls_key, Path(console.tls_key).stat().st_mode))
    if console.tls_ca:
        authority = load_certificate(Path(console.tls_ca))
        findings.append(judge_dates(console.tls_ca, authority, now))
    return findings


def judge_dates(path: str, certificate: x509.Certificate, now: datetime.datetime) -> Finding:
    """Say how long a certificate holds from `now` (UTC)."""
    left = certificate.not_valid_after_utc - now
    days = round(left / datetime.timedelta(days=1), 1)
    fill = {"until": f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"}
    if certificate.not_valid_before_utc > now:
        fill = {"from": f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"}
        return Finding("certificate.early", path, days, "days", fill)
    if days <= 0:
        return Finding("certificate.ended", path, days, "days", fill)
    code = "certificate.ends_soon" if days < WARN_DAYS else "certificate.holds"
    return Finding(code, path, days, "days", fill)


def wanted_names(console: ConsoleConfig) -> list[str]:
    """Return what people type, as far as the configuration says it."""
    hosts = [urlsplit(origin).hostname or "" for origin in console.public_origins]
    if not hosts and console.listen not in ("0.0.0.0", "::"):
        hosts = [console.listen]
    return [host for host in hosts if host]


def judge_names(certificate: x509.Certificate, wanted: list[str]) -> Finding:
    """Say whether a certificate is for the names that people type (RFC 6125 §6.4)."""
    names = names_of(certificate)
    told = ", ".join(names.all) or "-"
    missing = [name for name in wanted if not _covered(name, names.hosts, certificate)]
    if missing:
        fill = {"names": told}
        return Finding("certificate.other_names", ", ".join(missing), len(missing), "", fill)
    return Finding("certificate.names" if wanted else "certificate.names_unsaid", told)


def _covered(name: str, hosts: tuple[str, ...], certificate: x509.Certificate) -> bool:
    try:
        return ipaddress.ip_address(name) in names_of(certificate).addresses
    except ValueError:
        pass
    if name.lower() in hosts:
        return True
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return f"*.{name.lower().partition('.')[2]}" in found.get_values_for_type(x509.DNSName)


def judge_key(path: str, mode: int) -> Finding:
    """Say whether others may read the private key."""
    told = f"{mode & 0o7777:04o}"
    return Finding("certificate.key_open" if mode & OTHERS else "certificate.key_own", path, told)
