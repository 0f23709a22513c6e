"""`enkan doctor` over real machine states: a bad one, a good one, one with a running hub."""

from __future__ import annotations

import asyncio
import datetime
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor import clock
from supervisor.console import certificates
from support.fleet import prepare_hub, running_hub
from support.processes import ROOT

pytestmark = pytest.mark.integration


def doctor(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor", "doctor", "--config", str(config), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def examined(config: Path, *arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Return the exit code and what was found, by code."""
    result = doctor(config, "--json", *arguments)
    assert "Traceback" not in result.stderr, result.stderr
    document = json.loads(result.stdout)
    assert document["exit_code"] == result.returncode
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in document["findings"]:
        found.setdefault(finding["code"], []).append(finding)
    return result.returncode, found


def test_a_taken_port_an_ended_certificate_and_open_secrets_are_named(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    (tmp_path / "state").chmod(0o755)
    (tmp_path / "state" / "credentials.json").chmod(0o644)
    past = datetime.datetime.fromtimestamp(clock.utc_ns() / 1e9, datetime.UTC)
    certificates.issue(
        tmp_path / "certs",
        certificates.parse_names(["localhost"]),
        renew=False,
        now=past - datetime.timedelta(days=400),
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(
            config.read_text()
            .replace(
                "[console]\nport = 0\nfallback_ports = true\n",
                f'[console]\ntls_certificate = "{tmp_path}/certs/console.pem"\n'
                f'tls_key = "{tmp_path}/certs/console.key"\n',
            )
            .replace("[metrics]\nport = 0\n", f"[metrics]\nport = {port}\n")
        )
        code, found = examined(config, "--lang", "en")
    assert code == 2
    assert str(port) in found["ports.taken"][0]["about"]
    assert "python" in found["ports.taken"][0]["means"]
    assert found["certificate.ended"][0]["value"] < 0
    assert "0755" in found["state.open"][0]["means"]
    assert "credentials.json" in found["state.readable"][0]["about"]
    assert all(one["do"] for one in found["ports.taken"] + found["state.readable"])


def test_a_prepared_machine_has_no_failure_and_keeps_nothing_of_the_visit(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    config.write_text(config.read_text().replace("[hub]\n", "[hub]\ndemo = true\n"))
    before = sorted(path for path in tmp_path.rglob("*"))
    result = doctor(config, "--lang", "ja")
    assert result.returncode in (0, 1), result.stdout  # this machine may warn, it must not fail
    assert "✗" not in result.stdout
    assert "終了コード" in result.stdout
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_configuration_that_cannot_be_used_ends_with_4_and_its_own_words(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    config.write_text(config.read_text().replace("mqtt_port = 0", "mqtt_prot = 0"))
    code, found = examined(config)
    assert code == 4
    assert "mqtt_prot" in found["config.refused"][0]["means"]
    assert "ports.free" not in found
    assert "check.needs_config" in found


async def test_a_running_hub_holds_its_ports_and_its_broker_answers(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config.write_text(config.read_text() + f"\n[media]\nudp_port = {port}\nworkers = 1\n")
    async with running_hub(config):
        arguments = ("--only", "ports", "--only", "broker", "--only", "files")
        code, found = await asyncio.to_thread(examined, config, *arguments)
    assert code == 0, found
    assert found["ports.ours"][0]["about"].startswith("media.udp_port")
    assert "broker.answers" in found
    assert "pid" in found["files.enough"][0]["about"]
