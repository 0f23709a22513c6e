"""A certificate authority of one's own for a control room, and the console's certificate.

Browsers give microphone, gamepad, wake lock and sealed control frames to a page only over
https (W3C Secure Contexts), and no public authority signs for an address on a local
network. So one authority is made here, for these names only, and trusted by hand on each
seat. Its key is worth something to a thief, so that its certificate itself says what it may
sign for: `nameConstraints` (RFC 5280 §4.2.1.10) permit exactly the names and addresses given
at its making, exclude whatever kind is not among them, and `pathLength` 0 lets it make no
authority below it. A name added later needs a new authority.

The validity of the server's certificate is bounded by what browsers accept (398 days,
CA/Browser Forum BR §6.3.2): 397 days, counted from an hour before now because seats' clocks
differ.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import Final

import ifaddr
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS: Final = 3_650
SERVER_DAYS: Final = 397
EARLY: Final = datetime.timedelta(hours=1)
"""Certificates begin this long before now."""

MAX_NAMES: Final = 32
CA_FILE: Final = "ca.pem"
CA_KEY: Final = "ca.key"
SERVER_FILE: Final = "console.pem"
SERVER_KEY: Final = "console.key"

_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_NO_MAIL: Final = "enkan.invalid"
"""The one mail domain the authority may sign for, which exists nowhere (RFC 6761 §6.4)."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class CertificateError(Exception):
    """Certificates cannot be made or used; the text says what, why and what to do."""


class Names(msgspec.Struct, frozen=True):
    """What a console is reached by.

    Attributes:
        hosts: DNS names, lower case, no wildcards.
        addresses: IP addresses.
    """

    hosts: tuple[str, ...]
    addresses: tuple[Address, ...]

    @property
    def all(self) -> list[str]:
        """Every name as text, names before addresses."""
        return [*self.hosts, *(str(address) for address in self.addresses)]


class Issued(msgspec.Struct, frozen=True):
    """What is in the folder after `issue`.

    Attributes:
        folder: Absolute.
        names: What the server's certificate is for.
        ca_until, server_until: Last moments of validity, UTC.
        fingerprint: SHA-256 of the authority's certificate, as people compare it.
        new_ca: The authority was made now; seats do not trust it yet.
    """

    folder: Path
    names: Names
    ca_until: datetime.datetime
    server_until: datetime.datetime
    fingerprint: str
    new_ca: bool


def parse_names(texts: list[str]) -> Names:
    """Sort what was given into host names and addresses.

    Raises:
        CertificateError: One of them is neither, or there are too many, or none.
    """
    hosts: dict[str, None] = {}
    addresses: dict[Address, None] = {}
    for text in texts:
        try:
            addresses[ipaddress.ip_address(text.strip("[]").partition("%")[0])] = None
        except ValueError:
            host = text.lower().rstrip(".")
            # The last part of a name is not a number: that would be a mistyped address.
            if not _DNS_NAME.fullmatch(host) or host.rpartition(".")[2].isdigit():
                raise CertificateError(
                    f"{text!r} is neither a host name nor an IP address: write what people "
                    "type into the browser, without https:// and without a port"
                ) from None
            hosts[host] = None
    if not hosts and not addresses:
        raise CertificateError("no name and no address: say what the console is reached by")
    if len(hosts) + len(addresses) > MAX_NAMES:
        raise CertificateError(f"more than {MAX_NAMES} names: a certificate is for one console")
    return Names(tuple(hosts), tuple(addresses))


def found_names() -> Names:
    """Return this machine's name and its addresses, without loopback and link-local ones.

    Raises:
        CertificateError: Nothing was found.
    """
    texts = []
    host = socket.gethostname()
    if host and not host.startswith("localhost"):
        texts.append(host)
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if not address.is_loopback and not address.is_link_local:
                texts.append(str(address))
    try:
        return parse_names(texts)
    except CertificateError as error:
        raise CertificateError(f"this machine's names: {error}") from error


def issue(folder: Path, names: Names | None, *, renew: bool, now: datetime.datetime) -> Issued:
    """Make an authority and the console's certificate in `folder`, or renew the latter.

    Args:
        folder: Made if it is missing; its keys are readable by their owner only.
        names: What the console is reached by; None: what this machine is called, or,
            when renewing, what the present certificate is for.
        renew: Keep the authority, make a new key and certificate of the console.
        now: UTC.

    Raises:
        CertificateError: Files would be overwritten, nothing is there to renew, or the
            authority may not sign for a name.
    """
    folder = folder.resolve()
    present = [name for name in (CA_FILE, CA_KEY, SERVER_FILE, SERVER_KEY) if _there(folder / name)]
    if renew:
        ca, ca_key = _load_ca(folder, now)
        names = names or names_of(load_certificate(folder / SERVER_FILE))
        _check_permitted(ca, names)
    else:
        if present:
            raise CertificateError(
                f"{folder} already holds {', '.join(present)}: nothing was changed. `--renew` "
                "makes a new certificate of the console and keeps the authority that seats trust; "
                "for a new authority take another folder."
            )
        names = names or found_names()
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _make_ca(ca_key, names, now)
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _make_server(server_key, names, ca, ca_key, now)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not renew:
            _write(folder / CA_KEY, _key_pem(ca_key), 0o600)
            _write(folder / CA_FILE, _pem(ca), 0o644)
        _write(folder / SERVER_KEY, _key_pem(server_key), 0o600)
        _write(folder / SERVER_FILE, _pem(server), 0o644)
    except OSError as error:
        raise CertificateError(f"cannot write into {folder}: {error.strerror}") from error
    return Issued(
        folder,
        names,
        ca.not_valid_after_utc,
        server.not_valid_after_utc,
        fingerprint(ca),
        not renew,
    )


# ------------------------------------------------------------------ reading


def load_certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a PEM file.

    Raises:
        CertificateError: It cannot be read.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"{path}: no certificate can be read from it ({error})") from error


def names_of(certificate: x509.Certificate) -> Names:
    """Return what a certificate is for (RFC 5280 §4.2.1.6); wildcards are left out."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Names((), ())
    hosts = [name for name in found.get_values_for_type(x509.DNSName) if "*" not in name]
    addresses = [
        address
        for address in found.get_values_for_type(x509.IPAddress)
        if isinstance(address, Address)
    ]
    return Names(tuple(hosts), tuple(addresses))


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate as `AB:CD:…`."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


# ------------------------------------------------------------------- making


def _make_ca(
    key: ec.EllipticCurvePrivateKey, names: Names, now: datetime.datetime
) -> x509.Certificate:
    title = _subject(f"Enkan CA {names.all[0]} {now:%Y-%m-%d}")
    return (
        _builder(key, now, CA_DAYS)
        .subject_name(title)
        .issuer_name(title)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .add_extension(_constraints(names), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_server(
    key: ec.EllipticCurvePrivateKey,
    names: Names,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
) -> x509.Certificate:
    alternatives: list[x509.GeneralName] = [x509.DNSName(host) for host in names.hosts]
    alternatives += [x509.IPAddress(address) for address in names.addresses]
    ca_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(key, now, SERVER_DAYS, ca.not_valid_after_utc)
        .subject_name(_subject(f"Enkan {names.all[0]}"))
        .issuer_name(ca.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    days: int,
    no_longer_than: datetime.datetime | None = None,
) -> x509.CertificateBuilder:
    begin = now.replace(microsecond=0) - EARLY
    # Both ends count (RFC 5280 §4.1.2.5), so that the last second is one less.
    end = begin + datetime.timedelta(days=days, seconds=-1)
    return (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end if no_longer_than is None else min(end, no_longer_than))
    )


def _constraints(names: Names) -> x509.NameConstraints:
    """What the authority may sign for; a kind of name that is not permitted is excluded,
    because a kind without any constraint is free (RFC 5280 §4.2.1.10)."""
    permitted: list[x509.GeneralName] = [x509.RFC822Name(_NO_MAIL)]
    excluded: list[x509.GeneralName] = []
    permitted += [x509.DNSName(host) for host in names.hosts]
    permitted += [x509.IPAddress(ipaddress.ip_network(address)) for address in names.addresses]
    if not names.hosts:
        excluded.append(x509.DNSName(""))
    if not names.addresses:
        excluded.append(x509.IPAddress(ipaddress.ip_network("0.0.0.0/0")))
        excluded.append(x509.IPAddress(ipaddress.ip_network("::/0")))
    return x509.NameConstraints(permitted, excluded or None)


def _check_permitted(ca: x509.Certificate, names: Names) -> None:
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = constraints.permitted_subtrees or []
    hosts = {name.value for name in permitted if isinstance(name, x509.DNSName)}
    networks = {name.value for name in permitted if isinstance(name, x509.IPAddress)}
    foreign = [
        host
        for host in names.hosts
        if not any(host == one or host.endswith(f".{one}") for one in hosts)
    ]
    foreign += [
        str(address) for address in names.addresses if ipaddress.ip_network(address) not in networks
    ]
    if foreign:
        raise CertificateError(
            f"the authority in this folder may not sign for {', '.join(foreign)}: it was made for "
            "other names, so that its key is worth nothing elsewhere. Make a new one in another "
            "folder, for all names, and have the seats trust that."
        )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    # X.520 bounds a common name at 64 characters; what counts is the alternative names.
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Enkan"),
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
        ]
    )


# ------------------------------------------------------------------- files


def _load_ca(
    folder: Path, now: datetime.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if not _there(folder / CA_FILE) or not _there(folder / CA_KEY):
        raise CertificateError(
            f"{folder} holds no {CA_FILE} with {CA_KEY}: there is nothing to renew. Without "
            "`--renew` an authority is made."
        )
    ca = load_certificate(folder / CA_FILE)
    try:
        key = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(
            f"{folder / CA_KEY}: no key can be read from it ({error})"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != ca.public_key():
        raise CertificateError(f"{CA_KEY} does not belong to {CA_FILE} in {folder}")
    if ca.not_valid_after_utc <= now:
        raise CertificateError(
            f"the authority in {folder} ended on {ca.not_valid_after_utc:%Y-%m-%d}: make a new one "
            "in another folder"
        )
    return ca, key


def _there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a whole file or none, never readable by more than `mode` says."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    opened = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
