"""The hub: feeds events to the core and carries its effects out, in order.

Everything that happens arrives as an event in one bounded queue and is decided in
one place, `core.step`; the rooms around it never decide. One loop, one order, one
fleet: no lock is needed, and a journal of the events is the whole history.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, assert_never

import msgspec
from starlette.requests import Request

from protocols.alarms import AlarmGroupView, AlarmKpiView
from protocols.authority import AttentionView, ControlView, DriveKey, SeatView
from protocols.duties import CoverageView, DutySpec, DutyView
from protocols.handover import HandoverBoardView
from protocols.operator import (
    AlarmSpecView,
    AlarmView,
    CommandView,
    Refusal,
    RequestView,
    RouteView,
    VehicleView,
)
from protocols.supervision import SupervisionView
from protocols.topics import VehicleId
from supervisor import __version__, clock
from supervisor.config import ROOT, ConfigError, HubConfig
from supervisor.console.access import Access, may_stop, talk_rank
from supervisor.console.config import plain_on_network
from supervisor.console.credentials import Credentials
from supervisor.console.rehearsal import find_channel
from supervisor.console.server import Console
from supervisor.core import effects, events, handover, views
from supervisor.core.duty_rows import not_configured
from supervisor.core.fleet import Fleet
from supervisor.core.itself import unsettled
from supervisor.core.snapshot import Capture
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.evidence import duties as kept_duties
from supervisor.evidence import handover as kept_handover
from supervisor.evidence.audit import AuditStore, AuditWriter
from supervisor.evidence.journal import About, Journal
from supervisor.evidence.segments import core_fingerprint
from supervisor.media.plane import MediaPlane
from supervisor.media.session import right_of
from supervisor.observability.equipment import EquipmentReader
from supervisor.observability.exporter import Exporter
from supervisor.observability.fleet import (
    add_duty_gauges,
    add_fleet_gauges,
    add_hub_gauges,
    add_journal_gauges,
    add_media_gauges,
    add_objective_gauges,
    add_people_gauges,
)
from supervisor.observability.health import LoopLag
from supervisor.observability.metrics_server import MetricsServer
from supervisor.telemetry.broker import EmbeddedBroker
from supervisor.telemetry.drive_relay import DriveRelays
from supervisor.telemetry.link import TelemetryLink
from supervisor.vitals import Sources, Storage, Vitals

log = logging.getLogger("enkan.hub")

TICK_S: Final = 0.02
"""Each takes a fifth of the fleet: every vehicle is looked at ten times a second."""
DRAIN_S: Final = 3.0
"""How long vehicles may take to say that nobody has control any more."""
STORES_S: Final = 2.0
"""Room on the disk and the health of the journal are looked at this often."""
EVENT_QUEUE: Final = 20_000
"""Events that may wait for the core before replaceable ones are dropped: 10 s of 200
vehicles at 10 Hz. The others come from bounded senders and are never dropped."""

TALK_REFUSALS: Final = {
    "busy": "somebody else is talking to this vehicle; wait until he has ended",
    "preempted": "a supervisor, or who has control of the vehicle, has taken over",
    "unheard": "the vehicle does not listen at this moment",
}
"""Why an operator's voice does not reach a vehicle, by the media plane's reason."""

AUDIT_FILE: Final = "audit.sqlite"
"""In the state folder."""

REPLACEABLE: Final = (
    events.TelemetryReceived,
    events.LinkSampled,
    events.ClockExchanged,
    events.PresentationReported,
    events.StoresSampled,
    events.Tick,
)


class FleetView:
    """Read access of the console to the fleet, as `console.reader.FleetReader`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def vehicle(self, vehicle_id: VehicleId, now_ns: int) -> VehicleView | None:
        """Return one vehicle as consoles see it."""
        return views.vehicle_view(self._fleet, vehicle_id, now_ns)

    def vehicles(self, now_ns: int) -> list[VehicleView]:
        """Return all vehicles as consoles see them."""
        return views.all_vehicles(self._fleet, now_ns)

    def route(self, vehicle_id: VehicleId) -> RouteView | None:
        """Return one vehicle's planned route."""
        return views.route_view(self._fleet, vehicle_id)

    def routes(self) -> list[RouteView]:
        """Return all planned routes."""
        return views.all_routes(self._fleet)

    def supervision(self, vehicle_id: VehicleId, now_ns: int) -> SupervisionView | None:
        """Return how well one vehicle can be supervised."""
        return views.supervision_view(self._fleet, vehicle_id, now_ns)

    def supervisions(self, now_ns: int) -> list[SupervisionView]:
        """Return how well all vehicles can be supervised."""
        return views.all_supervisions(self._fleet, now_ns)

    def controls(self) -> list[ControlView]:
        """Return who has control of each vehicle."""
        return views.all_controls(self._fleet)

    def seats(self, now_ns: int) -> list[SeatView]:
        """Return every seat."""
        return views.all_seats(self._fleet, now_ns)

    def attention(self, now_ns: int) -> list[AttentionView]:
        """Return the attention queue."""
        return views.attention_queue(self._fleet, now_ns)

    def alarms(self) -> list[AlarmView]:
        """Return all alarms that are not normal."""
        return views.open_alarms(self._fleet)

    def alarm_groups(self) -> list[AlarmGroupView]:
        """Return the groups of alarms that began together."""
        return views.alarm_groups(self._fleet)

    def alarm_kpi(self, now_ns: int) -> AlarmKpiView:
        """Return how well the alarms behave."""
        return views.alarm_kpi(self._fleet, now_ns)

    def requests(self) -> list[RequestView]:
        """Return the take-over requests that still matter."""
        return views.requests(self._fleet)

    def commands(self) -> list[CommandView]:
        """Return the recent commands."""
        return views.commands(self._fleet)

    def duties(self) -> list[DutyView]:
        """Return the duties that still matter."""
        return views.duties(self._fleet)

    def duty_catalogue(self) -> list[DutySpec]:
        """Return the duties that can be started by hand."""
        return views.duty_catalogue(self._fleet)

    def coverages(self) -> list[CoverageView]:
        """Return who has which vehicle on screen."""
        return views.coverages(self._fleet)

    def handover(self) -> HandoverBoardView:
        """Return what the next shift has to know, and who hands over to whom."""
        return handover.view(self._fleet)

    def catalogue(self) -> list[AlarmSpecView]:
        """Return the alarm catalogue."""
        return views.catalogue_view()


class Hub:
    """One hub process: built from a configuration, run until cancelled.

    Args:
        config: The checked configuration.
        config_file: Where it came from; relative paths are resolved against it.
        announce: Called with one line for each part that became ready.

    Raises:
        ConfigError: Credentials are missing for a configured vehicle.
        CredentialsError: The credentials file is missing, readable by others or broken.
    """

    def __init__(
        self,
        config: HubConfig,
        config_file: Path,
        *,
        announce: Callable[[str, str], None] = lambda part, text: None,
    ) -> None:
        self._config = config
        self._announce = announce
        self._state_dir = config.state_dir(config_file)
        self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.counters = Counters()
        self._fleet = Fleet(config.core)
        self._queue: asyncio.Queue[events.AnyEvent] = asyncio.Queue()

        credentials = Credentials.load(self._state_dir / config.hub.credentials)
        secrets = credentials.vehicles()
        configured = [entry.vehicle_id for entry in config.vehicle]
        for vehicle_id in configured:
            if vehicle_id not in secrets:
                raise ConfigError(
                    f"vehicle {vehicle_id} has no credentials; "
                    f"make them: enkan credentials add-vehicle {vehicle_id}"
                )
        known = set(configured)
        self._access = Access(credentials, counters=self.counters)
        self._audit = AuditWriter(
            AuditStore.open(self._state_dir / AUDIT_FILE),
            counters=self.counters,
            on_written=self.submit,
        )
        self._journal = self._make_journal()
        self._broker: EmbeddedBroker | None = None
        if config.telemetry.broker == "embedded":
            self._broker = EmbeddedBroker(
                config.telemetry,
                state_dir=self._state_dir / "broker",
                users={vehicle_id: secrets[vehicle_id].token for vehicle_id in configured},
            )
        self._link = TelemetryLink(
            config.telemetry,
            broker=self._broker,
            hub_id=config.hub.id,
            command_keys={vehicle_id: secrets[vehicle_id].command_key for vehicle_id in configured},
            counters=self.counters,
            on_event=self.submit,
        )
        self._drive = DriveRelays(
            {vehicle_id: secrets[vehicle_id].command_key for vehicle_id in configured},
            counters=self.counters,
            publish=self._link.publish_drive,
            give_key=self._give_key,
        )
        self._media = MediaPlane(
            config.media,
            counters=self.counters,
            on_event=self.submit,
            authorise_publisher=lambda vehicle_id, token: (
                vehicle_id in known and credentials.vehicle_token_ok(vehicle_id, token)
            ),
            authorise_watcher=self._authorise_watcher,
            talk_rank=lambda sign_in: talk_rank(self._access.who(sign_in)),
            may_stop=lambda sign_in: may_stop(self._access.who(sign_in)),
            on_talk_refused=self._talk_refused,
            state_dir=self._state_dir,
            publisher_right=lambda vehicle_id: (
                right_of(secrets[vehicle_id].token) if vehicle_id in known else None
            ),
            sign_in_valid=lambda sign_in: self._access.who(sign_in) is not None,
        )
        journal = self._journal
        self.vitals = Vitals(
            Sources(
                audit=lambda: self._audit.healthy,
                journal=lambda: journal is None or journal.healthy,
                journal_age_s=lambda: None if journal is None else journal.last_write_age_s(),
                workers=lambda: [worker.ready for worker in self._media.worker_stats()],
            ),
            clock.monotonic_ns,
        )
        self._served = asyncio.Event()
        self._settled = asyncio.Event()
        self._console = Console(
            config.console,
            access=self._access,
            fleet=FleetView(self._fleet),
            counters=self.counters,
            on_event=self.submit,
            hub_version=__version__,
            site_name=config.hub.name,
            demo=config.hub.demo,
            ui_dir=ROOT / "ui",
            scenarios_dir=ROOT / "scenarios",
            runbooks_dir=ROOT / "docs" / "runbooks",
            help_dir=ROOT / "docs" / "help",
            extra_routes=self._media.routes(),
            readiness=self.vitals.parts,
            stop_keys=self._drive.stop_keys,
            on_drive=self._drive.relay,
            rehearsal=find_channel(self._state_dir, self.counters) if config.hub.demo else None,
            equipment=lambda: self._equipment.read(),  # noqa: PLW0108 - it is made below
        )
        self._access.on_end(self._sign_in_ended)
        self._exporter = Exporter(self.counters)
        self._exporter.add_gauge("consoles", lambda: float(self._console.open_consoles))
        if self._console.certificate.certificate is not None:
            remaining_s = self._console.certificate.remaining_s
            self._exporter.add_gauge("console_certificate", lambda: remaining_s() or 0.0)
        add_hub_gauges(
            self._exporter,
            version=__version__,
            ready=self.vitals.works,
            storage=lambda: self.vitals.storage,
            events_waiting=self._queue.qsize,
        )
        add_fleet_gauges(self._exporter, self._fleet, clock.monotonic_ns)
        add_people_gauges(self._exporter, self._fleet, clock.monotonic_ns)
        add_objective_gauges(self._exporter, self._fleet, clock.monotonic_ns)
        add_duty_gauges(self._exporter, self._fleet)
        add_media_gauges(self._exporter, self._media.worker_stats)
        if self._journal is not None:
            add_journal_gauges(self._exporter, self._journal)
        self._equipment = EquipmentReader(
            self._fleet,
            self._exporter,
            workers=self._media.worker_stats,
            readiness=self.vitals.works,
            version=__version__,
            embedded=self._broker is not None,
            now_ns=clock.monotonic_ns,
        )
        self._lag = LoopLag(self._exporter)
        self._metrics = MetricsServer(
            config.metrics, exporter=self._exporter, state_dir=self._state_dir
        )

    async def run(self) -> None:
        """Run every room until cancelled; a room that fails ends the hub."""
        configured = self._config.vehicle
        epochs = await asyncio.to_thread(
            self._audit.store.raise_epochs, [entry.vehicle_id for entry in configured]
        )
        self._link.tell_epochs(epochs)
        for entry in configured:
            self.submit(
                events.VehicleConfigured(
                    entry.vehicle_id,
                    entry.kind,
                    entry.name or entry.id,
                    epochs[entry.vehicle_id],
                )
            )
        await self._restore()
        standing = await asyncio.to_thread(self._audit.store.standing_alarms)
        if standing:
            log.info("%d alarms of the former run still stand", len(standing))
            self.submit(events.AlarmsRestored(standing))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._decide(), name="core")
            group.create_task(self._tick(), name="tick")
            group.create_task(self._watch_stores(), name="stores")
            group.create_task(self._audit.run(), name="audit")
            if self._journal is not None:
                group.create_task(self._journal.run(), name="journal")
            if self._broker is not None:
                group.create_task(self._broker.run(), name="broker")
            group.create_task(self._link.run(), name="telemetry")
            group.create_task(self._media.run(), name="media")
            group.create_task(self._console.run(), name="console")
            group.create_task(self._metrics.run(), name="metrics")
            group.create_task(self._lag.run(), name="loop lag")
            group.create_task(self._tell_ready(), name="ready")

    async def _restore(self) -> None:
        """Go on with duties, notes and offers that were open when the last hub ended."""
        now_ns, utc_ns = clock.monotonic_ns(), clock.utc_ns()
        event = await asyncio.to_thread(
            kept_duties.restored, self._audit.store.path, now_ns=now_ns, utc_ns=utc_ns
        )
        if event.duties:
            log.warning("%d statutory duties are still open from before", len(event.duties))
        self.submit(event)
        self.submit(
            await asyncio.to_thread(
                kept_handover.restored, self._audit.store.path, now_ns=now_ns, utc_ns=utc_ns
            )
        )
        sites = [entry.site for entry in self._config.vehicle]
        missing = not_configured(self._config.core.duty, self._config.core.contact, sites)
        if missing:
            log.warning(
                "duties have no number to call for %s: add [[core.contact]] to the configuration",
                ", ".join(missing),
            )
            self._announce("duties", f"NO CONTACT CONFIGURED: {', '.join(missing)}")

    def submit(self, event: events.AnyEvent) -> None:
        """Take one event; called by every room on the hub's loop.

        What a newer event replaces is dropped, and counted, once `EVENT_QUEUE` events
        wait. Everything else always fits: a stop is never refused for load.
        """
        if self._queue.qsize() >= EVENT_QUEUE and isinstance(event, REPLACEABLE):
            self.counters.add("events_dropped", type(event).__name__)
            return
        self._queue.put_nowait(event)

    async def started(self) -> str:
        """Return once everything is served, with the console's address."""
        await self._served.wait()
        return f"console {self._console.url}"

    def overdue(self) -> str:
        """Name what this hub has not done for too long; empty: it is alive."""
        return self.vitals.overdue()

    async def drain(self, why: str) -> None:
        """Give back every control, take nothing and nobody new; the rest goes on meanwhile.

        Returns as soon as every vehicle has said that nobody has control of it, and after
        `DRAIN_S` at the latest. Stops are taken and carried out until the end.
        """
        self.vitals.draining = True
        self._console.begin_drain()
        self._media.begin_drain()
        self.submit(events.HubEnding(why))
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._settled.wait()
                await self._console.told()
            log.info("drained: nobody has control of any vehicle")
        except TimeoutError:
            names = ", ".join(unsettled(self._fleet)) or "none"
            log.warning("ending after %.0f s; control not confirmed as free: %s", DRAIN_S, names)

    # ------------------------------------------------------------------ tasks

    async def _decide(self) -> None:
        while True:
            event = await self._queue.get()
            now_ns = clock.monotonic_ns()
            if type(event) is events.HeartbeatReceived:
                self.vitals.on_heard(now_ns)
            elif isinstance(event, events.BrokerChanged):
                self.vitals.on_broker(event.connected)
            elif isinstance(event, events.PublisherChanged) and event.connected:
                self._announce("video", f"{event.vehicle_id} is live")
            if self._journal is not None:
                self._journal.before(now_ns, event)
            try:
                following = step(self._fleet, event, now_ns)
            except Exception:
                if self._journal is not None:
                    self._journal.put(now_ns, event, None)
                raise
            if self._journal is not None:
                self._journal.put(now_ns, event, following)
            self.counters.add("core_event", type(event).__name__)
            for effect in following:
                self._execute(effect)
            self.vitals.on_step(now_ns)
            if self._fleet.ending and not unsettled(self._fleet):
                self._settled.set()

    def _execute(self, effect: effects.AnyEffect) -> None:
        match effect:
            case effects.SendCommand() | effects.SendEventAck():
                self._link.execute(effect)
            case effects.Record():
                self._audit.submit(effect)
            case (
                effects.ShowVehicle()
                | effects.ShowRoute()
                | effects.ShowSupervision()
                | effects.ShowControl()
                | effects.ShowSeats()
                | effects.ShowAttention()
                | effects.ShowAlarm()
                | effects.ShowAlarmGroup()
                | effects.ShowAlarmKpi()
                | effects.ShowRequest()
                | effects.ShowCommand()
                | effects.ShowDuty()
                | effects.ShowHandover()
                | effects.ShowCoverage()
                | effects.Refuse()
            ):
                self._console.show(effect)
            case effects.PreferLayers():
                self._media.prefer_layers(
                    effect.vehicle_id, effect.focused, effect.focus, effect.others
                )
            case effects.SetGrant():
                sign_in = None
                if effect.session is not None:
                    sign_in = self._console.sign_in_of(effect.session)
                self._media.set_grant(effect.vehicle_id, sign_in, effect.epoch)
                self._drive.set_grant(effect)
            case effects.Lease():
                self._link.set_lease(effect.vehicle_id, effect.epoch, leased=effect.leased)
            case effects.WithdrawDrive():
                reasons = ", ".join(effect.reasons)
                state = f"is not available: {reasons}" if reasons else "is available"
                log.info("%s: remote driving %s", effect.vehicle_id, state)
            case effects.Count():
                self.counters.add(effect.name, effect.reason)
            case effects.Observe():
                self._exporter.observe(effect)
            case _:
                assert_never(effect)

    def _make_journal(self) -> Journal | None:
        config = self._config.journal
        if not config.enabled:
            return None
        core = json.dumps(msgspec.to_builtins(self._fleet.config))
        return Journal(
            config,
            self._state_dir / config.folder,
            about=About(__version__, core_fingerprint(), self._config.hub.id, core),
            capture=lambda: Capture(self._fleet),
            counters=self.counters,
        )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.submit(events.Tick())

    async def _watch_stores(self) -> None:
        while True:
            room = await asyncio.to_thread(shutil.disk_usage, self._state_dir)
            self.vitals.on_look(Storage(room.free, room.total), _discipline())
            healthy = self._journal is None or self._journal.healthy
            self.submit(events.StoresSampled(room.free, healthy))
            await asyncio.sleep(STORES_S)

    async def _tell_ready(self) -> None:
        if self._broker is not None:
            await self._broker.ready.wait()
            self._announce("broker", f"nats-server, MQTT on port {self._broker.port}")
        await self._media.ready.wait()
        ports = [str(worker.udp_port) for worker in self._media.worker_stats()]
        self._announce("media", f"UDP port {', '.join(ports)}")
        await self._console.started.wait()
        await self._metrics.started.wait()
        _write_endpoints(
            self._state_dir / "hub.json",
            {
                "console": self._console.url,
                "mqtt": self._link.public_url,
                "media": f"{self._config.media.listen}:{ports[0]}",
                "metrics": self._metrics.url,
            },
        )
        self._announce("metrics", self._metrics.url)
        if plain_on_network(self._config.console):
            log.warning("the console runs over PLAIN HTTP on the network: see /help/https")
            self._announce("console", "PLAIN HTTP: everyone there can read along")
        self._announce("console", self._console.url)
        self._served.set()

    async def _authorise_watcher(self, request: Request) -> str | None:
        operator = await self._access.account_of(request)
        return operator.session if operator is not None else None

    def _talk_refused(self, sign_in: str, vehicle_id: VehicleId, reason: str) -> None:
        refusal = Refusal(f"talk {vehicle_id}", f"talk_{reason}", TALK_REFUSALS[reason])
        self._console.show(effects.Refuse(sign_in, refusal))

    def _give_key(self, session: str, key: DriveKey) -> None:
        self._console.give_key(session, key)

    def _sign_in_ended(self, sign_in: str, reason: str) -> None:
        closed = self._media.close_watchers_of(sign_in)
        log.info("a sign-in ended (%s), %d media sessions with it", reason, closed)


def _discipline() -> clock.Discipline | None:
    try:
        return clock.discipline()
    except OSError:  # some systems do not say; `/readyz` tells that
        return None


def _write_endpoints(path: Path, endpoints: dict[str, str]) -> None:
    """Write where this hub listens, for tools on the same machine."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(endpoints), encoding="utf-8")
    partial.replace(path)
