"""Field types that many messages share: names with their limits."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Token = Annotated[str, Meta(min_length=1, max_length=64)]
"""An id made by a machine."""
Text = Annotated[str, Meta(max_length=500)]
"""Words for a person."""
Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A time on the clock that the field's name or its message says."""
Counter = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""Counts or numbers something; exact also in a browser."""
FullName = Annotated[str, Meta(max_length=80)]
"""`site/vehicle`."""
Position = tuple[float, float]
"""[longitude, latitude] in degrees, WGS 84."""
