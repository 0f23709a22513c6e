"""The audit read back by kind, without changing it; also while a hub writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from supervisor.evidence.audit import AuditError

Data = dict[str, str | int | float | bool | None]

_decoder = msgspec.json.Decoder(Data)


class Row(NamedTuple):
    """One record with the wall clock at which it was handed over."""

    seq: int
    utc_ns: int
    kind: str
    actor: str
    subject: str
    data: Data

    def utc_of(self, at_ns: int) -> int:
        """Return the wall clock of an instant on the clock of the hub that wrote this row.

        Every record that is read so carries `at_ns`, the hub's monotonic clock when it was
        made: a few milliseconds before `utc_ns` at most.
        """
        written_ns = self.data.get("at_ns")
        if not isinstance(written_ns, int):
            raise AuditError("damaged", f"record {self.seq} of the audit has no at_ns")
        return self.utc_ns + at_ns - written_ns

    def integer(self, name: str) -> int:
        """Return a fact that has to be a whole number.

        Raises:
            AuditError: It is not.
        """
        return int(self._fact(name, int))

    def text(self, name: str) -> str:
        """Return a fact that has to be a text.

        Raises:
            AuditError: It is not.
        """
        return str(self._fact(name, str))

    def _fact(self, name: str, kind: type) -> Any:
        value = self.data.get(name)
        if not isinstance(value, kind):
            raise AuditError("damaged", f"record {self.seq} of the audit has no {name}")
        return value


def rows(path: Path, kinds: Sequence[str]) -> Iterator[Row]:
    """Yield the records of these kinds, oldest first.

    Raises:
        AuditError: There is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise AuditError("io", f"{path} does not exist")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    marks = ",".join("?" * len(kinds))
    try:
        for seq, utc_ns, kind, actor, subject, data in connection.execute(
            "SELECT seq, utc_ns, kind, actor, subject, data FROM audit "
            f"WHERE kind IN ({marks}) ORDER BY seq",
            tuple(kinds),
        ):
            yield Row(seq, utc_ns, kind, actor, subject, _decoder.decode(data))
    except (sqlite3.Error, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise AuditError("damaged", f"the audit store {path} cannot be read: {error}") from error
    finally:
        connection.close()
