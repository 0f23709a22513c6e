"""The highest epoch on disk: the one thing a vehicle must not forget.

A vehicle that forgot it would obey a hub that was fenced off. Written to a new
file, flushed to the device, renamed over the old one, and the folder flushed: after
a power cut there is the old number or the new one, never half of one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

FILE_NAME: Final = "epoch.json"
MAX_BYTES: Final = 1_024


class EpochError(Exception):
    """The epoch cannot be read or kept; the vehicle must not start or obey."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    vehicle: str
    highest_epoch: int


class EpochStore:
    """One small file. Blocking: call `store` in a thread."""

    def __init__(self, folder: Path, vehicle: str) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._vehicle = vehicle

    def load(self) -> int:
        """Return the highest epoch, 0 for a vehicle that never obeyed one.

        Raises:
            EpochError: Damaged, of another vehicle, or the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            raw = self._path.read_bytes()
        except FileNotFoundError:
            self.store(0)
            return 0
        except OSError as error:
            raise EpochError(f"vehicle.state_dir: {self._folder}: {error.strerror}") from error
        try:
            found = msgspec.json.decode(raw[:MAX_BYTES], type=_File)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise EpochError(
                f"{self._path} is damaged. If this vehicle surely obeys no other hub, delete it"
            ) from error
        if found.vehicle != self._vehicle or found.highest_epoch < 0:
            raise EpochError(
                f"{self._path} belongs to {found.vehicle}, not to {self._vehicle}: "
                "give each vehicle its own vehicle.state_dir"
            )
        return found.highest_epoch

    def store(self, epoch: int) -> None:
        """Write `epoch`; on return it survives a power cut.

        Raises:
            EpochError: It could not be written.
        """
        new = self._path.with_suffix(".new")
        try:
            with new.open("wb") as file:
                file.write(msgspec.json.encode(_File(self._vehicle, epoch)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise EpochError(f"{self._path}: {error.strerror}") from error
