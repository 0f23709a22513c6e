"""Sequence numbers and timestamps without their wrap."""

from __future__ import annotations


def unwrap16(value: int, near: int) -> int:
    """Return the number congruent to `value` mod 2^16 that is nearest to `near`.

    >>> unwrap16(2, 65_535), unwrap16(65_535, 65_538)
    (65538, 65535)
    """
    return near + ((value - near + 0x8000) & 0xFFFF) - 0x8000


def unwrap32(value: int, near: int) -> int:
    """Return the number congruent to `value` mod 2^32 that is nearest to `near`."""
    return near + ((value - near + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
