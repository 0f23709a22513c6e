"""Map tiles that browsers may fetch from outside, each only if it is configured."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec


class MapTiles(Enum):
    """Whose tiles lie under the local base maps."""

    NONE = ""
    GSI = "gsi"


class TileSource(msgspec.Struct, frozen=True):
    """Where tiles come from and how they are credited.

    Attributes:
        name: As configured.
        origin: The only outside host that pages may then ask.
        url: With `{z}`, `{x}` and `{y}` (Web Mercator, 256 px).
        max_zoom: Closer ones are enlarged.
        credit: Shown on the map while they are, in any language.
        credit_url: Where the credit leads.
    """

    name: str
    origin: str
    url: str
    max_zoom: int
    credit: str
    credit_url: str


_GSI_ORIGIN: Final = "https://cyberjapandata.gsi.go.jp"

# Pale map 淡色地図, zoom 5 to 18: https://maps.gsi.go.jp/development/ichiran.html
_SOURCES: Final = {
    MapTiles.NONE: None,
    MapTiles.GSI: TileSource(
        name=MapTiles.GSI.value,
        origin=_GSI_ORIGIN,
        url=f"{_GSI_ORIGIN}/xyz/pale/{{z}}/{{x}}/{{y}}.png",
        max_zoom=18,
        credit="地理院タイル",
        credit_url="https://maps.gsi.go.jp/development/ichiran.html",
    ),
}


def tile_source(tiles: MapTiles) -> TileSource | None:
    """Return where these tiles come from; None: nothing outside is asked."""
    return _SOURCES[tiles]
