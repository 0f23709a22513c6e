"""The certificate in use: how long it holds, and a renewed one without a restart.

A restart of the hub disarms every seat, so that a renewed certificate is taken up while
consoles stay connected: new connections get the new one. A pair that does not fit, seen
between two writes, leaves the old one in place and is looked at again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509

from supervisor import clock
from supervisor.console.certificates import CertificateError, load_certificate
from supervisor.console.config import ConsoleConfig, check_pair

log = logging.getLogger("enkan.console")

LOOK_EVERY_S: Final = 20.0
WARN_DAYS: Final = 30
"""From here on its end is a warning, once a day."""

_DAY_S: Final = 86_400


class CertificateWatch:
    """Watches the files of `[console] tls_certificate` and `tls_key`.

    Args:
        config: Checked; without a certificate there is nothing to watch.

    Attributes:
        certificate: The one in use; None over plain http.

    Raises:
        CertificateError: The certificate cannot be read.
    """

    def __init__(self, config: ConsoleConfig) -> None:
        self._config = config
        self._context: ssl.SSLContext | None = None
        self._seen = self._stamp()
        self._told_day = -1
        self.certificate: x509.Certificate | None = None
        if config.tls_certificate:
            self.certificate = load_certificate(Path(config.tls_certificate))

    def serve_with(self, context: ssl.SSLContext) -> None:
        """Take the context whose new connections get a renewed certificate."""
        self._context = context

    def remaining_s(self) -> float | None:
        """Return how long the certificate holds from now, negative after its end, in
        seconds of the wall clock; None over plain http."""
        if self.certificate is None:
            return None
        return self.certificate.not_valid_after_utc.timestamp() - clock.utc_ns() / 1e9

    async def run(self) -> None:
        """Look at the files again and again until cancelled."""
        self.tell()
        while self.certificate is not None:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()
            self.tell()

    def look(self) -> bool:
        """Take up a renewed pair, if there is one that fits; return whether."""
        stamp = self._stamp()
        if self._context is None or stamp == self._seen:
            return False
        config = self._config
        try:
            check_pair(config.tls_certificate, config.tls_key)
            renewed = load_certificate(Path(config.tls_certificate))
            self._context.load_cert_chain(config.tls_certificate, config.tls_key)
        except (CertificateError, OSError, ssl.SSLError) as error:
            log.warning("a changed certificate cannot be used yet, the old one stays: %s", error)
            return False
        self._seen = stamp
        self.certificate = renewed
        self._told_day = -1
        log.info("a renewed certificate is in use for new connections")
        return True

    def tell(self) -> None:
        """Say how long it holds: after a change, and once a day when its end is near."""
        remaining_s = self.remaining_s()
        if remaining_s is None:
            return
        today = clock.utc_ns() // 1_000_000_000 // _DAY_S
        near = remaining_s < WARN_DAYS * _DAY_S
        if self._told_day == today or (self._told_day >= 0 and not near):
            return
        self._told_day = today
        days = int(remaining_s // _DAY_S)
        if remaining_s <= 0:
            log.error("the console's certificate HAS ENDED: browsers refuse it; renew it now")
        elif near:
            log.warning("the console's certificate ends in %d days: renew it", days)
        else:
            log.info("the console's certificate holds for %d days", days)

    def _stamp(self) -> tuple[object, ...]:
        """What changes when one of the files does."""
        stamps: list[object] = []
        for path in (self._config.tls_certificate, self._config.tls_key):
            try:
                found = Path(path).stat()
            except OSError:
                stamps.append(None)
            else:
                stamps.append((found.st_mtime_ns, found.st_ino, found.st_size))
        return tuple(stamps)
