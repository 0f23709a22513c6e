"""Where the console is served, and what of that is refused."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from protocols.fields import FullName
from supervisor.console.certificates import CertificateError, load_certificate
from supervisor.console.listening import ListenError, is_loopback
from supervisor.console.map_tiles import MapTiles


class ConsoleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the console is served.

    Attributes:
        listen: IP address. Anything but loopback needs a certificate.
        port: TCP port; 0 lets the system choose.
        fallback_ports: Take another port if this one is in use.
        tls_certificate, tls_key: PEM files, absolute paths; `enkan certs` makes them.
        tls_ca: PEM file of the local authority that seats are to trust, offered to them at
            /help/https; empty: none is offered.
        public_origins: Names under which browsers reach it, as `https://name[:port]`;
            needed behind a proxy or for a name that is not an address.
        insecure_http: Serve plain http on an address that is not loopback. Passwords
            and pictures are then readable on the network, and browsers refuse
            microphone and gamepad.
        step_up_s: Control for driving needs a password that was given within this time,
            seconds: when signing in, or once more since.
        training_vehicle: `site/vehicle` on which each shift begins with a test stop; empty:
            none.
        map_tiles: Tiles from outside under the local base maps, fetched by the browsers;
            none unless named.
    """

    listen: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    fallback_ports: bool = False
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    public_origins: list[str] = []
    insecure_http: bool = False
    step_up_s: Annotated[float, Meta(ge=1, le=43_200)] = 900.0
    training_vehicle: FullName = ""
    map_tiles: MapTiles = MapTiles.NONE


def check(config: ConsoleConfig) -> None:
    """Refuse what is not safe or not usable.

    Raises:
        ListenError: What is wrong and what to do.
    """
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise ListenError("[console] tls_certificate and tls_key belong together: set both or none")
    if config.tls_certificate:
        try:
            check_pair(config.tls_certificate, config.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise ListenError(
                f"[console] tls_certificate {config.tls_certificate} with tls_key "
                f"{config.tls_key}: cannot be used ({error}). Both are PEM files that the hub's "
                "user can read, and the key belongs to the certificate."
            ) from error
    elif not is_loopback(config.listen) and not config.insecure_http:
        raise ListenError(
            f"[console] listen = {config.listen!r} is reachable from the network, but without TLS "
            "everyone there could read passwords and pictures. Set tls_certificate and tls_key "
            "(`enkan certs` makes them; docs/https.md), listen on 127.0.0.1 behind a proxy, or, "
            "on a closed test network only, set insecure_http = true."
        )
    if config.tls_ca:
        try:
            load_certificate(Path(config.tls_ca))
        except CertificateError as error:
            raise ListenError(f"[console] tls_ca: {error}") from error


def check_pair(certificate: str, key: str) -> None:
    """Try a certificate with its key.

    Raises:
        OSError: A file cannot be read, or is no PEM file, or they do not fit (`SSLError`).
    """
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)


def plain_on_network(config: ConsoleConfig) -> bool:
    """Return whether passwords and pictures cross a network in clear by this configuration."""
    return not config.tls_certificate and not is_loopback(config.listen)


def url_of(config: ConsoleConfig, port: int) -> str:
    """Return what people type to reach a console that listens on `port`."""
    if config.public_origins:
        return config.public_origins[0]
    host = "localhost" if config.listen in ("0.0.0.0", "::") else config.listen
    if ":" in host:
        host = f"[{host}]"
    return f"{'https' if config.tls_certificate else 'http'}://{host}:{port}"
