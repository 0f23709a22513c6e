"""Backups made of bytes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import msgspec

from supervisor.backup.archive import MANIFEST, SCHEMA, Item, Manifest


def manifest_of(files: Mapping[str, bytes], **changes: Any) -> Manifest:
    items = {n: Item(len(data), hashlib.sha256(data).hexdigest()) for n, data in files.items()}
    made = Manifest(SCHEMA, "hub-1", "1.0", 1_800_000_000_000_000_000, 1, "0" * 64, items)
    return msgspec.structs.replace(made, **changes)


def backup_of(
    files: Mapping[str, bytes],
    manifest: bytes | None = None,
    packing: int = zipfile.ZIP_DEFLATED,
    **changes: Any,
) -> bytes:
    """Return an archive of `files` with a manifest that fits, unless it is changed."""
    if manifest is None:
        manifest = msgspec.json.encode(manifest_of(files, **changes))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        archive.writestr(MANIFEST, manifest)
        for name in sorted(files):
            archive.writestr(name, files[name])
    return out.getvalue()
