"""Rows of an alarm catalogue for pages that are tested alone."""

from __future__ import annotations

from protocols.alarms import AlarmSpecView, AlarmText

CATALOGUE = [
    AlarmSpecView(
        key="takeover.requested",
        priority=1,
        respond_within_s=10,
        latching=False,
        shelvable=False,
        ja=AlarmText(
            "介入要求", "車両が人の判断を求めた", "車両は待機を続ける", "映像を確認し判断する"
        ),
        en=AlarmText(
            "Take-over requested",
            "The vehicle asks for a person",
            "It keeps standing",
            "Look at the picture and decide",
        ),
    ),
    AlarmSpecView(
        key="link.lost",
        priority=2,
        respond_within_s=30,
        latching=False,
        shelvable=False,
        ja=AlarmText(
            "通信断",
            "車両からの応答がない",
            "遠隔から介入できない",
            "最終位置を確認し現場へ連絡する",
        ),
        en=AlarmText(
            "Link lost",
            "The vehicle does not answer",
            "No remote intervention",
            "Check the last position and call the field team",
        ),
    ),
]
