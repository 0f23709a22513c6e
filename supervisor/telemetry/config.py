"""Where the message broker is."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class TelemetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[telemetry]` section.

    Attributes:
        broker: "embedded" starts nats-server as a child; or the address of another
            broker, `mqtt://user:password@host:port` (`mqtts://` with TLS). Better give
            an address with a password as ENKAN_TELEMETRY__BROKER.
        listen: Address the embedded broker listens on. Beyond loopback it speaks plain
            MQTT: put it behind a VPN, or use an own broker with TLS.
        mqtt_port: Its port; 0 takes a free one at each start.
        store_mib: Bound of the embedded broker's store on disk, MiB.
        heartbeat_hz: Hub heartbeats to each vehicle, per second; at least 2, as vehicles and
            the core count on.
        messages_per_s: What one vehicle may send on average; its excess is dropped.
    """

    broker: str = "embedded"
    listen: str = "127.0.0.1"
    mqtt_port: Annotated[int, Meta(ge=0, le=65_535)] = 1883
    store_mib: Annotated[int, Meta(ge=16, le=65_536)] = 256
    heartbeat_hz: Annotated[float, Meta(ge=2, le=20)] = 2.0
    messages_per_s: Annotated[float, Meta(ge=10, le=10_000)] = 200.0

    def __repr__(self) -> str:
        return f"TelemetryConfig(listen={self.listen!r}, mqtt_port={self.mqtt_port})"
