"""Which size a watcher gets: his wish, unless the core prefers another."""

from __future__ import annotations

from protocols.topics import VehicleId
from supervisor.media.preferences import Preference, Preferences, Wishes

BUS = VehicleId("maebashi", "bus-01")
OTHER = VehicleId("maebashi", "bus-02")
CAMERAS = ("front", "left", "cabin")


def test_without_a_preference_everybody_has_his_own_wish() -> None:
    wishes = Wishes(CAMERAS, "auto")
    wishes.add({"left": "low", "roof": "high"})
    assert Preferences().effective(BUS, wishes) == {"front": "auto", "left": "low", "cabin": "auto"}


def test_the_focused_camera_is_protected_and_the_others_get_smaller() -> None:
    preferences = Preferences()
    preferences.set(BUS, Preference("front", "high", "low"))
    assert preferences.effective(BUS, Wishes(CAMERAS)) == {
        "front": "high",
        "left": "low",
        "cabin": "low",
    }
    assert preferences.effective(OTHER, Wishes(CAMERAS))["left"] == "high"
    assert preferences.prefers(BUS)
    assert not preferences.prefers(OTHER)


def test_a_preference_never_makes_a_small_wish_larger() -> None:
    preferences = Preferences()
    preferences.set(BUS, Preference("front", "high", "auto"))
    assert set(preferences.effective(BUS, Wishes(CAMERAS, "low")).values()) == {"low"}


def test_a_preference_that_prefers_nothing_gives_everybody_his_wish_back() -> None:
    preferences = Preferences()
    preferences.set(BUS, Preference("front", "high", "low"))
    preferences.set(BUS, Preference())
    assert not preferences.prefers(BUS)
    assert set(preferences.effective(BUS, Wishes(CAMERAS)).values()) == {"high"}


def test_only_the_cameras_asked_for_are_answered() -> None:
    preferences = Preferences()
    preferences.set(BUS, Preference("", None, "low"))
    assert preferences.effective(BUS, Wishes(CAMERAS), ["cabin"]) == {"cabin": "low"}
