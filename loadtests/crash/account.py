"""An audit store as anybody may read it: with SQLite, and through `enkan verify`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import NamedTuple

from loadtests.children import spawn
from loadtests.errors import BenchError


class Chain(NamedTuple):
    """What `enkan verify` says."""

    ok: bool
    records: int
    reason: str
    head: str


async def verify(store: Path, known: str = "") -> Chain:
    """Run `enkan verify`.

    Args:
        store: The file.
        known: `NUMBER:HASH` of an earlier head; empty: none.

    Raises:
        BenchError: It said nothing that can be read.
    """
    head = ["--head", known] if known else []
    process = await spawn(
        *(sys.executable, "-m", "supervisor", "verify", str(store), "--json", *head),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    try:
        found = json.loads(said)
    except json.JSONDecodeError as error:
        raise BenchError(f"`enkan verify` said: {complaint.decode()[-300:]}") from error
    return Chain(
        found["ok"], found["records"], found["reason"], f"{found['records']}:{found['head']}"
    )


def recorded_events(store: Path) -> set[str]:
    """Return the ids of all vehicle events on record."""
    with contextlib.closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT data FROM audit WHERE kind = 'event'")
        return {str(json.loads(data)["event_id"]) for (data,) in rows}


def epochs(store: Path) -> dict[str, list[int]]:
    """Return, by vehicle, every epoch on record in its order."""
    found: dict[str, list[int]] = {}
    with contextlib.closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as db:
        query = "SELECT subject, data FROM audit WHERE kind IN ('epoch', 'control.granted')"
        for subject, data in db.execute(f"{query} ORDER BY seq"):
            epoch = json.loads(data).get("epoch")
            if epoch is not None:
                found.setdefault(str(subject), []).append(int(epoch))
    return found
