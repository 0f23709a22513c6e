"""A plausible modem: cells along the way, strength falling with distance. Pure.

Log-distance path loss (exponent 3.2) from masts on a 600 m grid, with a ripple of a
few dB that depends on the place alone; a handover happens only when another cell is
`HYSTERESIS_DB` stronger, as in LTE/NR event A3.
"""

from __future__ import annotations

import math
from typing import Final

from protocols.vehicle import Radio

GRID_M: Final = 600.0
HYSTERESIS_DB: Final = 3.0


class RadioModel:
    """Serving cell and signal by place. `prefix` names the operator and site."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix[:16]
        self._serving: tuple[int, int] | None = None

    def at(self, east: float, north: float) -> Radio:
        """Return what the modem reports at this place."""
        column, row = round(east / GRID_M), round(north / GRID_M)
        cells = [(column + dx, row + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        strength = {cell: _rsrp(cell, east, north) for cell in cells}
        best = max(cells, key=lambda cell: strength[cell])
        serving = self._serving
        if (
            serving is None
            or serving not in strength
            or strength[best] > strength[serving] + HYSTERESIS_DB
        ):
            self._serving = serving = best
        interference = sum(10 ** (strength[cell] / 10) for cell in cells if cell != serving)
        sinr = strength[serving] - 10 * math.log10(interference * 0.3 + 10**-12.0)
        sinr = min(28.0, max(-5.0, sinr))
        # Shannon with a 20 MHz carrier, a quarter of it for the uplink, 60 % efficiency.
        down = 20_000 * 0.6 * math.log2(1 + 10 ** (sinr / 10))
        name = f"{self._prefix}-{serving[0] % 100:02d}{serving[1] % 100:02d}"
        return Radio(
            cell_id=name,
            rsrp_dbm=round(strength[serving], 1),
            sinr_db=round(sinr, 1),
            up_kbps=round(down / 4),
            down_kbps=round(down),
        )


def _rsrp(cell: tuple[int, int], east: float, north: float) -> float:
    wobble = (cell[0] * 73 + cell[1] * 151) % 97 / 97 * GRID_M * 0.4
    x, y = cell[0] * GRID_M + wobble, cell[1] * GRID_M - wobble
    distance = max(25.0, math.hypot(east - x, north - y))
    ripple = 2.5 * math.sin(east / 17 + cell[0]) * math.cos(north / 23 + cell[1])
    return -58.0 - 32.0 * math.log10(distance / 25.0) + ripple
