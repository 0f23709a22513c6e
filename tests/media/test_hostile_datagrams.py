"""A picture goes on while strangers and a peer that was let in send rubbish."""

from __future__ import annotations

import pytest

from support import hostile

pytestmark = [pytest.mark.integration]


async def test_a_live_session_survives_hostile_datagrams():
    report = await hostile.attack(8_000, 1, print)
    assert report.survived, str(report)
    assert report.inside > 100
    assert report.refused["unbound"] > 100
