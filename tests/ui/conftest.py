"""The page in Debian's Chromium over the real console server and an invented fleet."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from protocols.operator import Role
from supervisor.console.config import ConsoleConfig
from support.browser import chromium
from ui.fake_hub import FakeHub
from ui.seat import Seat, open_page, sign_in


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    """Return a context manager: a hub and a page, signed in unless told otherwise."""

    @contextlib.asynccontextmanager
    async def open_seat(
        *,
        role: Role = Role.OPERATOR,
        obey: bool = True,
        publishing: bool = True,
        signed_in: bool = True,
        size: tuple[int, int] = (1366, 768),
        config: ConsoleConfig | None = None,
    ) -> AsyncIterator[tuple[FakeHub, Page]]:
        hub = FakeHub(tmp_path, role=role, obey=obey, config=config)
        hub.publishing = publishing
        async with hub.running(), chromium() as browser, open_page(browser, size) as page:
            await page.goto(hub.console.url)
            if signed_in:
                await sign_in(page)
            yield hub, page

    return open_seat
