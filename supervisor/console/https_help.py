"""Help for people whose browser lacks what it gives over https only: `/help/https`.

Public, because who needs it cannot trust this hub's certificate yet, and without a script,
because it must also work as a file that is carried to a seat. The words are in `docs/help`;
the head (names, fingerprint, validity) comes from the certificates themselves.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from supervisor.console.certificate_watch import CertificateWatch
from supervisor.console.certificates import (
    CA_FILE,
    CA_KEY,
    SERVER_FILE,
    SERVER_KEY,
    CertificateError,
    Issued,
    fingerprint,
    load_certificate,
    names_of,
)
from supervisor.console.runbooks import LANGUAGES, render

CA_NAME: Final = "enkan-ca.crt"
"""As seats download it: DER, which every system opens under this ending."""

_CA_TYPE: Final = "application/x-x509-ca-cert"
_SHEETS: Final = ("tokens.css", "help.css")
_WORDS: Final = {
    "ja": (
        "この端末で https を使えるようにする", "認証局の証明書", "SHA-256 フィンガープリント",
        "コンソールの名前とアドレス", "認証局の期限", "コンソールの証明書の期限",
        "このハブは認証局の証明書を配布していません。管理者から受け取ってください。",
        "コンソールへ", "English",
    ),
    "en": (
        "Make https work on this device", "Certificate of the authority", "SHA-256 fingerprint",
        "Names and addresses of the console", "The authority ends",
        "The console's certificate ends",
        "This hub does not hand out the authority's certificate. Ask your administrator for it.",
        "To the console", "日本語",
    ),
}  # fmt: skip


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate as `CA_NAME` holds it."""
    return certificate.public_bytes(serialization.Encoding.DER)


def document(
    text: str,
    language: str,
    ca: x509.Certificate | None,
    server: x509.Certificate | None,
    *,
    style: str | None = None,
) -> str:
    """Return a whole page.

    Args:
        text: The page of `docs/help`.
        language: `ja` or `en`.
        ca, server: Certificates to tell of, as far as they are known.
        style: CSS put into the page, whose links then are to files beside it; None: a page
            of the hub.
    """
    title, name, print_, reached, ca_ends, ends, none, back, other = _WORDS[language]
    served = style is None
    other_language = "en" if language == "ja" else "ja"
    facts: list[tuple[str, str]] = []
    if ca is not None:
        facts = [
            (name, f'<a href="{CA_NAME}">{CA_NAME}</a>'),
            (print_, f"<code>{fingerprint(ca).replace(':', ':<wbr>')}</code>"),
            (ca_ends, _day(ca)),
        ]
    if server is not None:
        names = ", ".join(f"<code>{html.escape(one)}</code>" for one in names_of(server).all)
        facts += [(reached, names), (ends, _day(server))]
    rows = "".join(f"<dt>{what}</dt><dd>{value}</dd>" for what, value in facts)
    links = f'<a href="{_page(other_language, served=served)}">{other}</a>'
    if served:
        links = f'<a href="/">{back}</a> {links}'
    sheets = "".join(f'<link rel="stylesheet" href="/style/{name}">' for name in _SHEETS)
    head = sheets if style is None else f"<style>{style}</style>"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>{head}</head>"
        f'<body class="help-page"><main><nav>{links}</nav><h1>{title}</h1>'
        f"<dl>{rows}</dl>{'' if ca is not None else f'<p>{none}</p>'}"
        f"{render(text)}</main></body></html>\n"
    )


def _day(certificate: x509.Certificate) -> str:
    return f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def _page(language: str, *, served: bool) -> str:
    return f"/help/https/{language}" if served else f"help-{language}.html"


def write_pages(folder: Path, pages_dir: Path, style_dir: Path) -> None:
    """Write the pages and the authority's certificate beside the others in `folder`.

    Raises:
        CertificateError: `folder` has no certificates, or cannot be written to.
    """
    ca, server = load_certificate(folder / CA_FILE), load_certificate(folder / SERVER_FILE)
    style = "".join((style_dir / name).read_text(encoding="utf-8") for name in _SHEETS)
    try:
        (folder / CA_NAME).write_bytes(der(ca))
        for language in LANGUAGES:
            text = (pages_dir / language / "https.md").read_text(encoding="utf-8")
            page = document(text, language, ca, server, style=style)
            (folder / _page(language, served=False)).write_text(page, encoding="utf-8")
    except OSError as error:
        raise CertificateError(f"the help pages: {error}") from error


def report(made: Issued) -> list[str]:
    """Return what was made, and what to do with it, for the person at the terminal."""
    folder = made.folder
    lines = [
        f"for         {', '.join(made.names.all)}",
        f"certificate until {made.server_until:%Y-%m-%d %H:%M} UTC: {folder / SERVER_FILE}",
        f"authority   until {made.ca_until:%Y-%m-%d}, for these names only: {folder / CA_FILE}",
        f"fingerprint {made.fingerprint}",
    ]
    if not made.new_ca:
        lines.append("The authority is the same: nothing to do on the seats. A running hub takes")
        lines.append("the certificate up within a minute.")
        return lines
    origins = ", ".join(f'"https://{host}:8080"' for host in made.names.hosts)
    return [
        *lines,
        "",
        "Paste into the configuration, and restart the hub:",
        "",
        "[console]",
        'listen = "0.0.0.0"',
        f"tls_certificate = {json.dumps(str(folder / SERVER_FILE))}",
        f"tls_key = {json.dumps(str(folder / SERVER_KEY))}",
        f"tls_ca = {json.dumps(str(folder / CA_FILE))}",
        *([f"public_origins = [{origins}]  # with the port you use"] if origins else []),
        "",
        f"Then have each seat trust {CA_NAME}: {folder / 'help-ja.html'} (or help-en.html) tells",
        "how, and so does /help/https of the hub. Tell people the fingerprint on another way.",
        f"Keep {CA_KEY} somewhere safe: the hub does not need it, renewing does.",
        "Renew before the end: enkan certs --renew",
    ]


class HttpsHelp:
    """Serves the pages, and the authority's certificate.

    Args:
        pages_dir: Holds `ja/https.md` and `en/https.md`.
        ca: PEM file of the authority's certificate; empty: none is handed out.
        watch: Knows the certificate in use.

    Raises:
        CertificateError: `ca` cannot be read.
    """

    def __init__(self, pages_dir: Path, ca: str, watch: CertificateWatch) -> None:
        self._pages_dir = pages_dir
        self._ca = load_certificate(Path(ca)) if ca else None
        self._watch = watch

    async def page(self, request: Request) -> Response:
        """Answer one page."""
        language = request.path_params.get("language", "ja")
        if language not in LANGUAGES:
            raise HTTPException(404, "there is no such page")
        try:
            text = (self._pages_dir / language / "https.md").read_text(encoding="utf-8")
        except OSError as error:
            raise HTTPException(404, "this page is not installed") from error
        return HTMLResponse(
            document(text, language, self._ca, self._watch.certificate),
            headers={"Cache-Control": "no-cache"},
        )

    async def ca(self, request: Request) -> Response:
        """Answer the authority's certificate."""
        if self._ca is None:
            raise HTTPException(404, "this hub hands out no certificate; see [console] tls_ca")
        return Response(der(self._ca), media_type=_CA_TYPE)
