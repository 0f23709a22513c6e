"""Puts one vehicle together and runs it until it is told to end."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
import signal
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from protocols.codec import encode
from protocols.vehicle import CameraInfo, Factsheet, Kind
from vehicle_stub import clock
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import (
    CameraSection,
    ConfigError,
    OnLinkLoss,
    VehicleConfig,
    parse_broker,
    parse_media_via,
    resolve,
)
from vehicle_stub.course import Course, CourseError, field_course, route_course
from vehicle_stub.credentials import Credentials, load_credentials
from vehicle_stub.drive import Drive
from vehicle_stub.epochs import EpochError, EpochStore
from vehicle_stub.equipment import OF_KIND
from vehicle_stub.link_frames import LinkFrames
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.rehearsal import rehearse
from vehicle_stub.sound import EngineSound, FileSound, Sound
from vehicle_stub.sources import FileSource, LiveSource, Source
from vehicle_stub.speaker import AlsaOutput, Output, Speaker, WavOutput
from vehicle_stub.synthetic import SyntheticSource
from vehicle_stub.uplink import Login, Uplink
from vehicle_stub.vehicle import Snapshot, Vehicle
from vehicle_stub.webrtc import packetize
from vehicle_stub.whip import WhipClient

log = logging.getLogger("enkan.vehicle")

TICK_S: Final = 0.05
ECHO_EVERY: Final = 2
"""Ticks to one `DriveEcho`: 10 Hz."""

MAX_ROUTE_POINTS: Final = 200
GOODBYE_S: Final = 1.5


class VehicleApp:
    """All parts of one vehicle.

    Args:
        config: The checked configuration.
        config_path: Where it came from.
        rehearse: Take orders for rehearsals (`vehicle_stub.rehearsal`).

    Raises:
        ConfigError: Something the configuration names cannot be used.
    """

    def __init__(self, config: VehicleConfig, config_path: Path, *, rehearse: bool = False) -> None:
        self.config = config
        self._rehearse = rehearse
        credentials = load_credentials(config, config_path)
        source = random.Random()
        tls = _tls(config, config_path)
        epochs = EpochStore(
            resolve(config_path, config.vehicle.state_dir) / config.vehicle.id,
            str(config.vehicle_id),
        )
        try:
            durable_epoch = epochs.load()
        except EpochError as error:
            raise ConfigError(str(error)) from error
        session_id = secrets.token_hex(8)
        self.course = _course(config, config_path)
        self.vehicle = _vehicle(config, credentials, session_id, durable_epoch, self.course)
        self._look: Snapshot = self.vehicle.snapshot(clock.monotonic_ns())
        login = Login(
            parse_broker(config.hub.broker),
            str(config.vehicle_id),
            credentials.token,
            tls if config.hub.broker.startswith("mqtts:") else None,
        )
        self.uplink_source = (login, session_id, epochs, source)
        self.cameras = [
            CameraWorker(
                camera,
                _opener(camera, config, config_path, self.course, self.look),
                packetize,
                source,
            )
            for camera in config.camera
        ]
        self._whip = (
            WhipClient(
                f"{config.hub.whip_url.rstrip('/')}/{config.vehicle_id}",
                credentials.token,
                tls or False,
            )
            if config.hub.whip_url and self.cameras
            else None
        )
        self._make_sound = _sound(config, config_path, self.look)
        self._make_output = _output(config, config_path)
        self._random = source

    def look(self) -> Snapshot:
        """Return what the vehicle did at the last tick; for other threads."""
        return self._look

    async def run(self) -> None:
        """Run until SIGTERM, SIGINT or cancellation; says goodbye to the hub."""
        login, session_id, epochs, source = self.uplink_source
        uplink = Uplink(
            login,
            self.config.vehicle_id,
            session_id,
            self.vehicle,
            _factsheet(self.config, self.course),
            epochs,
            source,
        )
        for camera in self.cameras:
            camera.start()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_say_unexpected)
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(uplink.run(), name="uplink")]
                publisher = None
                if self._whip is not None:
                    speaker = None
                    if self._make_output is not None:
                        speaker = Speaker(self._make_output, self._random)
                        running.append(tasks.create_task(speaker.run(), name="speaker"))
                    publisher = MediaPublisher(
                        self._whip,
                        self.cameras,
                        self._make_sound,
                        self._random,
                        speaker,
                        partial(self._hear_frame, uplink),
                        LinkFrames(session_id),
                        parse_media_via(self.config.hub.media_via),
                    )
                    running.append(tasks.create_task(publisher.run(), name="media"))
                driving = self._drive(uplink, publisher)
                running.append(tasks.create_task(driving, name="drive"))
                if self._rehearse:
                    rehearsal = rehearse(self.vehicle, self.cameras)
                    running.append(tasks.create_task(rehearsal, name="rehearsal"))
                await asked.wait()
                log.info("ending")
                await uplink.say_goodbye()
                for task in running:
                    task.cancel()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            for camera in self.cameras:
                await asyncio.to_thread(camera.stop)
            if self._whip is not None:
                await self._whip.close()

    def _hear_frame(self, uplink: Uplink, data: bytes | str, now_ns: int) -> None:
        self.vehicle.on_frame(data, now_ns)
        uplink.pump()

    async def _drive(self, uplink: Uplink, publisher: MediaPublisher | None) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for tick in itertools.count():
            now_ns = clock.monotonic_ns()
            self.vehicle.on_time(now_ns)
            self.vehicle.encode_ms = {
                camera.camera.name: round(wire_ms, 1)
                for camera in self.cameras
                if (wire_ms := camera.main.wire_ms) is not None
            }
            self._look = self.vehicle.snapshot(now_ns)
            uplink.pump()
            echo = self.vehicle.drive_echo() if tick % ECHO_EVERY == 0 else None
            if echo is not None and publisher is not None:
                publisher.say(encode(echo))
            due = max(due + TICK_S, loop.time() - TICK_S)
            await asyncio.sleep(due - loop.time())


def _say_unexpected(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """One line for what a library left unhandled in a callback.

    aiomqtt registers its socket from another thread; if the broker closes it in that
    instant, the loop reports a bad descriptor here, and the connection is retried.
    """
    log.warning("unexpected: %s: %s", context.get("message"), context.get("exception"))


def _tls(config: VehicleConfig, config_path: Path) -> ssl.SSLContext | None:
    if not config.hub.broker.startswith("mqtts:") and not config.hub.whip_url.startswith("https:"):
        return None
    ca_file = str(resolve(config_path, config.hub.ca_file)) if config.hub.ca_file else None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"hub.ca_file: {ca_file}: {error}") from error


def _course(config: VehicleConfig, config_path: Path) -> Course:
    drive = config.drive
    key = "route" if drive.route else "field"
    path = resolve(config_path, drive.route or drive.field)
    cruise_mps = drive.cruise_kmh / 3.6
    try:
        data = path.read_bytes()
        if drive.route:
            return route_course(data, cruise_mps)
        return field_course(data, cruise_mps, drive.implement_width_m)
    except OSError as error:
        raise ConfigError(f"drive.{key}: {path}: {error.strerror}") from error
    except CourseError as error:
        raise ConfigError(f"drive.{key}: {path}: {error}") from error


def _vehicle(
    config: VehicleConfig,
    credentials: Credentials,
    session_id: str,
    durable_epoch: int,
    course: Course,
) -> Vehicle:
    drive = config.drive
    now_ns = clock.monotonic_ns()
    match drive.on_link_loss:
        case OnLinkLoss.DEFAULT:
            stops = config.vehicle.kind is Kind.TRACTOR
        case OnLinkLoss.CONTINUE:
            stops = False
        case OnLinkLoss.FALLBACK:
            stops = True
    return Vehicle(
        vehicle_id=config.vehicle_id,
        kind=config.vehicle.kind,
        session_id=session_id,
        key=credentials.key,
        durable_epoch=durable_epoch,
        drive=Drive(
            course,
            start_m=drive.start_m,
            obstacles=drive.obstacle_at_m,
            dwell_s=drive.dwell_s,
            loop=drive.loop,
            now_ns=now_ns,
        ),
        fallback=drive.fallback,
        stops_on_link_loss=stops,
        link_loss_s=drive.link_loss_s,
        answer_within_s=drive.answer_within_s,
        now_ns=now_ns,
        silent_mps=drive.silent_kmh / 3.6,
        happenings=config.vehicle.happening,
    )


def _factsheet(config: VehicleConfig, course: Course) -> Factsheet:
    return Factsheet(
        kind=config.vehicle.kind,
        name=config.vehicle.name or config.vehicle.id,
        cameras=[
            CameraInfo(c.name, c.width, c.height, float(c.fps), c.bitrate_kbps)
            for c in config.camera
        ],
        audio=config.audio.source != "none",
        commands=list(OF_KIND[config.vehicle.kind]),
        max_speed_mps=round(course.cruise_mps, 3),
        route=course.degrees(MAX_ROUTE_POINTS),
        maker="Enkan",
        software="enkan vehicle",
    )


def _opener(
    camera: CameraSection,
    config: VehicleConfig,
    config_path: Path,
    course: Course,
    look: Callable[[], Snapshot],
) -> Callable[[], Source]:
    kind, _, rest = camera.source.partition(":")
    if kind == "synthetic":
        name = config.vehicle.id
        return lambda: SyntheticSource(camera, name, course, look)
    if kind == "file":
        path = resolve(config_path, rest)
        return lambda: FileSource(path, camera.width, camera.height)
    return lambda: LiveSource(camera)


def _sound(
    config: VehicleConfig, config_path: Path, look: Callable[[], Snapshot]
) -> Callable[[], Sound] | None:
    kind, _, rest = config.audio.source.partition(":")
    if kind == "none":
        return None
    if kind == "file":
        path = resolve(config_path, rest)
        return lambda: FileSound(path)
    return lambda: EngineSound(look)


def _output(config: VehicleConfig, config_path: Path) -> Callable[[], Output] | None:
    kind, _, rest = config.speaker.output.partition(":")
    if kind == "none":
        return None
    if kind == "file":
        path = resolve(config_path, rest)
        return lambda: WavOutput(path)
    return lambda: AlsaOutput(rest)
