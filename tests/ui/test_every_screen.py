"""Every screen, in both languages and all palettes, as `screens.py` lists them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from support.browser import chromium
from ui.screens import SCREENS
from ui.tour import KEPT, LANGUAGES, SIZES, WRITE, Finding, walk

pytestmark = [
    pytest.mark.browser,
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
RENEW = f"Look at what changed, then: {WRITE}=1 ./enkan test tests/ui/{Path(__file__).name}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Finding]]:
    async with chromium() as browser:
        yield await walk(browser, tmp_path_factory.mktemp("hub"))


@pytest.mark.parametrize(
    "concern",
    [
        pytest.param("axe", id="has no serious accessibility fault"),
        pytest.param("targets", id="has targets of 24 px and safety controls of 48 px"),
        pytest.param("motion", id="stands still for who asked for less motion"),
        pytest.param("colour", id="has no colour while all is well"),
        pytest.param("overflow", id="fits its window"),
    ],
)
async def test_every_screen(found: list[Finding], concern: str) -> None:
    wrong = [f"{one.screen}: {one.words}" for one in found if one.concern == concern]
    assert not wrong, "\n".join(wrong)


async def test_every_screen_looks_as_the_documents_show_it(found: list[Finding]) -> None:
    wrong = [f"{one.screen}: {one.words}" for one in found if one.concern == "picture"]
    assert not wrong, "\n".join([*wrong, RENEW])


async def test_the_documents_show_no_screen_that_is_gone() -> None:
    wanted = {
        f"{screen.name}.{language}.{width}.png"
        for screen in SCREENS
        for language in LANGUAGES
        for width, _ in SIZES
    }
    assert {path.name for path in KEPT.glob("*.png")} == wanted
