"""Map tiles from outside: none unless configured, and then one host and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supervisor.config import ConfigError, load

GSI = "https://cyberjapandata.gsi.go.jp"


async def told(hub: Any) -> tuple[str, Any]:
    """Return the page's policy and what the page is told of tiles."""
    async with hub.sign_in() as client:
        policy = (await client.get("/")).headers["content-security-policy"]
        return policy, (await client.get("/basemaps/index.json")).json()["tiles"]


async def test_without_the_option_nothing_outside_is_allowed_or_named(hub: Any) -> None:
    policy, tiles = await told(hub)
    assert tiles is None
    assert "https:" not in policy and "http:" not in policy
    assert "img-src 'self' data: blob:;" in policy


async def test_gsi_allows_its_host_for_pictures_and_nothing_else(make_hub: Any) -> None:
    async with make_hub() as plain:
        without, _ = await told(plain)
        without = without.replace(plain.url.removeprefix("http://"), "HOST")
    async with make_hub(map_tiles="gsi") as hub:
        policy, tiles = await told(hub)
        policy = policy.replace(hub.url.removeprefix("http://"), "HOST")
    assert tiles["url"] == f"{GSI}/xyz/pale/{{z}}/{{x}}/{{y}}.png"
    assert (tiles["origin"], tiles["max_zoom"], tiles["credit"]) == (GSI, 18, "地理院タイル")
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    named = {name for name, sources in parts.items() if GSI in sources.split()}
    assert named == {"img-src", "connect-src"}
    assert policy.replace(f" {GSI}", "") == without, "nothing else changes"


@pytest.mark.parametrize("wrong", ["osm", "GSI", "https://tiles.example"])
def test_any_other_tiles_are_refused(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(f'[console]\nmap_tiles = "{wrong}"\n')
    with pytest.raises(ConfigError, match=r"map_tiles"):
        load(path, {})
