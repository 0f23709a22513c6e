"""The alarms this hub knows: frozen rows by family, no behaviour.

Priorities follow EEMUA 191: how bad is it if nobody acts, and how long is there to
act; and not: how interesting is it. Urgent (P1) is kept for what only an operator can
avert and what has to happen at once; about one alarm in twenty may be urgent, and one in
six high, or the words mean nothing.

* `takeover.requested` is P2: the vehicle already stands or is coming to rest in a
  minimal-risk condition by its own rule, whether or not anybody answers. Unanswered it
  costs passengers time and blocks a road; it does not get more dangerous by the
  second. It is also the most frequent alarm by far: as P1 it would bury the real ones.
* `link.lost` is P2: the vehicle falls back by itself; the operator's part is to look,
  call and send somebody.
* `broker.down` is P1: no vehicle can be seen or stopped through this hub, and only a
  person can tell the field. So are `vehicle.collision`, where rescue begins with a call,
  and `mrm.failed`, where the vehicle's own last resort did not help. All are rare.
* `audit.failed` is P2: control other than stop is refused until it is repaired.
* `video.frozen` is P2: what the operator judges by is not live. `video.late` is P3: the
  enforcement ladder answers it by itself, and shows what it does.
* `mrm.operating`, `odd.exit`, `deadman.released`, `authority.lost` are P3: the vehicle
  does the safe thing already; the operator watches it and cares for what comes after.
* `duty.overdue` is P3: it sounds once and softly, because who is late is on the telephone;
  what the duty is about has rung at its own priority, and a supervisor is called.
* `person.near_machine` is P2 although the machine stops by itself: only a person may say
  that the place is clear again.

A row without something for the operator to do is a log line, not an alarm. Safety rows
latch until acknowledged *and* clear; urgent rows cannot be shelved. A row that waits for a
part of the system which is not there yet says so in `waits_for`, and nobody can raise it.
"""

from __future__ import annotations

from typing import Final

from supervisor.core.catalogue import (
    bus,
    control,
    hub,
    link,
    machine,
    site,
    takeover,
    vehicle,
    video,
)
from supervisor.core.catalogue.keys import *  # noqa: F403  every key by its name
from supervisor.core.catalogue.spec import AlarmSpec as AlarmSpec
from supervisor.core.catalogue.spec import Escalation as Escalation
from supervisor.core.catalogue.spec import Priority as Priority
from supervisor.core.catalogue.spec import Source as Source

CATALOGUE: Final[tuple[AlarmSpec, ...]] = (
    *takeover.ROWS,
    *link.ROWS,
    *video.ROWS,
    *control.ROWS,
    *vehicle.ROWS,
    *bus.ROWS,
    *machine.ROWS,
    *site.ROWS,
    *hub.ROWS,
)

BY_KEY: Final[dict[str, AlarmSpec]] = {spec.key: spec for spec in CATALOGUE}
