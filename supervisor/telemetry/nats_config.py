"""The configuration file of the embedded nats-server.

MQTT topics become NATS subjects with `.` for `/`, `*` for `+` and `>` for `#`; the
names in them hold no dot. Every user is limited to MQTT connections, so the server's
own client port, which it cannot do without, lets nobody in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from protocols.codec import MAX_MQTT_PAYLOAD
from protocols.topics import VehicleId
from supervisor.telemetry.permissions import (
    HUB_USER,
    Permissions,
    check_secret,
    for_hub,
    for_vehicle,
)


def subject(topic: str) -> str:
    """Return the NATS subject of an MQTT topic or filter."""
    return topic.replace("/", ".").replace("+", "*").replace("#", ">")


def nats_config(
    *,
    listen: str,
    mqtt_port: int,
    store_dir: Path,
    log_file: Path,
    store_mib: int,
    users: Mapping[VehicleId, str],
    hub_password: str,
) -> str:
    """Return the text of the file. It holds secrets: write it with mode 0600."""
    entries = [_user(HUB_USER, hub_password, for_hub())]
    entries += [_user(str(name), token, for_vehicle(name)) for name, token in users.items()]
    lines = [
        f"server_name: {json.dumps('enkan')}",
        'host: "127.0.0.1"',
        "port: -1",
        f"max_payload: {4 * MAX_MQTT_PAYLOAD}",
        'write_deadline: "2s"',
        f"log_file: {json.dumps(str(log_file))}",
        "logfile_size_limit: 4MB",
        "logfile_max_num: 2",
        "jetstream {",
        f"  store_dir: {json.dumps(str(store_dir))}",
        "  max_memory_store: 64MB",
        f"  max_file_store: {store_mib}MB",
        "}",
        "mqtt {",
        f"  host: {json.dumps(listen)}",
        f"  port: {mqtt_port}",
        "  max_ack_pending: 1024",
        "}",
        "authorization {",
        "  users = [",
        *entries,
        "  ]",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _user(name: str, secret: str, permissions: Permissions) -> str:
    publish = json.dumps([subject(topic) for topic in permissions.publish])
    subscribe = json.dumps([subject(topic) for topic in permissions.subscribe])
    return (
        f"    {{user: {json.dumps(name)}, password: {json.dumps(check_secret(name, secret))}, "
        f'allowed_connection_types: ["MQTT"], '
        f"permissions: {{publish: {publish}, subscribe: {subscribe}}}}}"
    )
