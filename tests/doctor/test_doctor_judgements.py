"""What each measurement means, and each check over something real and small."""

from __future__ import annotations

import datetime
import errno
import socket
import stat
import struct
import threading
from pathlib import Path

import msgspec
import pytest

from supervisor import clock
from supervisor.config import HubConfig, HubSection, VehicleSection
from supervisor.console import certificates
from supervisor.console.config import ConsoleConfig
from supervisor.doctor import holders, machine, network, servers, storage, tls
from supervisor.doctor.finding import Finding, Subject
from supervisor.doctor.network import Port
from supervisor.media.pool import MediaConfig
from supervisor.media.udp import SOCKET_BUFFER
from supervisor.telemetry.config import TelemetryConfig
from supervisor.telemetry.link import parse_address

PORT = Port("console.port", "tcp", "127.0.0.1", 8080)
TAKEN = OSError(errno.EADDRINUSE, "Address already in use")
NC = holders.Process(7, 1, "nc", frozenset({99}), frozenset())


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("refused", "having", "ours", "code"),
    [
        (None, [], set(), "ports.free"),
        (TAKEN, [NC], set(), "ports.taken"),
        (TAKEN, [NC], {7}, "ports.ours"),
        (TAKEN, [], set(), "ports.taken_unseen"),
        (TAKEN, [], {7}, "ports.unseen"),
        (OSError(errno.EACCES, "Permission denied"), [], set(), "ports.refused"),
    ],
    ids=["free", "taken", "ours", "taken-unseen", "unseen", "refused"],
)
def test_a_port_is_free_ours_or_somebody_elses(
    refused: OSError | None, having: list[holders.Process], ours: set[int], code: str
) -> None:
    assert network.judge_port(PORT, refused, having, ours).code == code


def test_a_taken_port_with_a_fallback_is_no_failure() -> None:
    port = msgspec.structs.replace(PORT, fallback=True)
    assert network.judge_port(port, TAKEN, [NC], set()).code == "ports.fallback"


def test_a_listening_socket_is_found_with_the_process_that_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = Port("console.port", "tcp", "127.0.0.1", server.getsockname()[1])
        refused = network.try_port(port)
        assert refused is not None
        assert refused.errno == errno.EADDRINUSE
        inodes = holders.socket_inodes("tcp", port.number)
        assert any(one.sockets & inodes for one in holders.processes().values())
    assert network.try_port(port) is None


def test_a_hub_is_known_by_its_open_file_and_with_its_children(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with lock.open("w"):
        assert holders.having_open(lock, holders.processes())
    known = {pid: holders.Process(pid, pid - 1, "x", frozenset(), frozenset()) for pid in (5, 6, 9)}
    assert holders.with_children({5}, known) == {5, 6}


def test_each_worker_has_a_port_and_another_broker_has_none() -> None:
    config = HubConfig(
        media=MediaConfig(udp_port=4_000, workers=2),
        telemetry=TelemetryConfig(broker="mqtt://b:1883"),
    )
    ports = network.configured_ports(config)
    assert [port.number for port in ports] == [8080, 9464, 4_000, 4_001]


def test_datagrams_arrive_on_loopback_and_batches_are_seen() -> None:
    assert codes(network.check_udp(Subject("hub.toml", HubConfig())))[0] == "udp.arrived"
    assert len(network.check_batches(Subject("hub.toml", None))) == 2
    assert len(network.check_buffers(Subject("hub.toml", None))) == 2


def test_datagrams_that_do_not_arrive_are_a_failure_only_where_media_uses_the_address() -> None:
    nowhere = network.echo("192.0.2.77", 0)  # an address for documents (RFC 5737)
    assert nowhere[1] is not None
    assert network.judge_echo("a", nowhere, used=True).code == "udp.lost"
    assert network.judge_echo("a", (0, None), used=False).code == "udp.lost_elsewhere"


def test_batches_that_did_not_come_are_never_called_well() -> None:
    assert codes(network.judge_batches(gso=True, gro=True, batched=True, arrived=True)) == [
        "batches.sent",
        "batches.received",
    ]
    assert codes(network.judge_batches(gso=False, gro=True, batched=False, arrived=True)) == [
        "batches.no_send",
        "batches.unseen",
    ]
    assert codes(network.judge_batches(gso=True, gro=False, batched=False, arrived=True))[1] == (
        "batches.no_receive"
    )
    assert codes(network.judge_batches(gso=True, gro=True, batched=False, arrived=False))[1] == (
        "batches.not_arrived"
    )


def test_a_buffer_smaller_than_asked_is_named_with_its_setting() -> None:
    small = network.judge_buffer("rmem_max", 212_992)
    assert (small.code, small.value, small.unit) == ("buffers.small", 208, "KiB")
    assert small.about == "net.core.rmem_max"
    assert network.judge_buffer("wmem_max", SOCKET_BUFFER).code == "buffers.granted"


@pytest.mark.parametrize(
    ("listen", "announce", "demo", "expected"),
    [
        ("127.0.0.1", [], False, ["candidates.loopback"]),
        ("127.0.0.1", [], True, ["candidates.demo"]),
        ("0.0.0.0", [], False, ["candidates.none"]),
        ("192.0.2.5", [], False, ["candidates.offered"]),
        ("192.0.2.5", ["203.0.113.9"], False, ["candidates.foreign"]),
        ("192.0.2.5", ["bus.example"], False, ["candidates.no_address"]),
    ],
)
def test_what_is_announced_must_be_reachable(
    listen: str, announce: list[str], demo: bool, expected: list[str]
) -> None:
    found = network.judge_candidates(listen, announce, ["192.0.2.5"], demo=demo)
    assert codes(found) == expected


def test_the_clock_is_kept_free_or_stale() -> None:
    assert machine.judge_clock(clock.Discipline(True, 0.01)).code == "clock.kept"
    assert machine.judge_clock(clock.Discipline(False, 0.01)).code == "clock.free"
    assert machine.judge_clock(clock.Discipline(True, 16.0)).code == "clock.stale"
    assert clock.discipline().max_error_s >= 0


def test_open_files_are_held_against_the_vehicles() -> None:
    assert machine.judge_files(1_024, 50, "").code == "files.enough"
    assert machine.judge_files(1_024, 200, "").code == "files.few"
    assert machine.judge_files(-1, 200, "").code == "files.enough"


def test_processors_are_counted_and_their_governor_told() -> None:
    assert codes(machine.judge_processors(1, [], virtual=None)) == [
        "processors.one",
        "processors.unsaid",
    ]
    assert codes(machine.judge_processors(4, ["powersave"], virtual=True)) == [
        "processors.enough",
        "processors.powersave",
        "processors.virtual",
    ]
    assert machine.judge_browser([]).code == "browser.none"


def test_the_state_folder_is_its_owners_alone() -> None:
    def judged(mode: int, *, writable: bool = True, foreign: bool = False) -> str:
        return storage.judge_folder("s", mode, writable=writable, foreign=foreign).code

    assert judged(stat.S_IFDIR | 0o700) == "state.own"
    assert judged(stat.S_IFDIR | 0o755) == "state.open"
    assert judged(stat.S_IFDIR | 0o700, foreign=True) == "state.foreign"
    assert judged(stat.S_IFDIR | 0o500, writable=False) == "state.read_only"


def test_secrets_that_others_may_read_are_named(tmp_path: Path) -> None:
    for name, mode in (("credentials.json", 0o644), ("metrics.token", 0o600), ("hub.json", 0o644)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (judged,) = storage.judge_modes(storage.modes_below(tmp_path))
    assert (judged.code, judged.value) == ("state.readable", 1)
    assert "credentials.json (0644)" in judged.about
    (tmp_path / "credentials.json").chmod(0o600)
    (judged,) = storage.judge_modes(storage.modes_below(tmp_path))
    assert (judged.code, judged.value) == ("state.closed", 2)


def test_more_files_than_are_looked_at_are_never_called_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(storage, "MOST_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}.token").touch(mode=0o600)
    assert codes(storage.judge_modes(storage.modes_below(tmp_path))) == ["state.many"]


def test_every_vehicle_needs_a_secret_and_somebody_an_account() -> None:
    assert storage.judge_secrets({"maebashi/bus-01"}, 1, 1).code == "state.no_secret"
    assert storage.judge_secrets(set(), 1, 0).code == "state.no_account"
    assert storage.judge_secrets(set(), 1, 1).code == "state.secrets"


def test_room_is_held_against_the_alarm_and_what_may_still_be_written() -> None:
    mib = storage.MIB
    assert storage.judge_room("/", 40_000 * mib, 1_024, 20_000).code == "disk.room"
    assert storage.judge_room("/", 20_000 * mib, 1_024, 20_000).code == "disk.will_fill"
    assert storage.judge_room("/", 1_000 * mib, 1_024, 0).code == "disk.low"
    assert storage.judge_room("/", mib, 1_024, 0).code == "disk.full"


def test_confirmed_writes_are_held_against_the_limit_of_a_decision() -> None:
    assert codes(storage.judge_fsync([1.0, 2.0, 3.0], 70)) == ["fsync.quick", "fsync.steady"]
    assert codes(storage.judge_fsync([1.0, 2.0, 90.0], 70)) == ["fsync.quick", "fsync.stalls"]
    assert codes(storage.judge_fsync([80.0, 90.0], 70)) == ["fsync.too_slow", "fsync.stalls"]


def test_writing_leaves_nothing_behind_and_removes_what_a_killed_doctor_left(
    tmp_path: Path,
) -> None:
    left = tmp_path / f"{storage.PROBE}.999999999"
    left.touch()
    subject = Subject(str(tmp_path / "hub.toml"), HubConfig(hub=HubSection(state_dir=".")))
    assert [finding.unit for finding in storage.check_fsync(subject)] == ["ms", "ms"]
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_is_judged_by_its_dates_names_and_the_mode_of_its_key(
    tmp_path: Path,
) -> None:
    now = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
    certificates.issue(
        tmp_path / "c", certificates.parse_names(["bus.example", "192.0.2.5"]), renew=False, now=now
    )
    made = certificates.load_certificate(tmp_path / "c" / certificates.SERVER_FILE)

    def after(days: int) -> str:
        return tls.judge_dates("c", made, now + datetime.timedelta(days=days)).code

    assert after(1) == "certificate.holds"
    assert after(380) == "certificate.ends_soon"
    assert after(400) == "certificate.ended"
    assert after(-2) == "certificate.early"
    assert tls.judge_names(made, ["bus.example", "192.0.2.5"]).code == "certificate.names"
    assert tls.judge_names(made, ["other.example"]).code == "certificate.other_names"
    assert tls.judge_names(made, []).code == "certificate.names_unsaid"
    assert tls.judge_key("k", 0o100600).code == "certificate.key_own"
    assert tls.judge_key("k", 0o100644).code == "certificate.key_open"


def test_no_certificate_is_well_on_loopback_only() -> None:
    def checked(console: ConsoleConfig) -> list[str]:
        return codes(tls.check_certificate(Subject("hub.toml", HubConfig(console=console))))

    assert checked(ConsoleConfig()) == ["certificate.none"]
    assert checked(ConsoleConfig(listen="192.0.2.5")) == ["certificate.refused"]
    assert checked(ConsoleConfig(listen="192.0.2.5", insecure_http=True)) == ["certificate.plain"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, "broker.answers"), (5, "broker.login"), (1, "broker.refuses"), (None, "broker.silent")],
)
def test_a_brokers_answer_is_told(code: int | None, expected: str) -> None:
    assert servers.judge_broker("mqtt://b:1883", code, "refused", 1.0).code == expected


def test_signing_in_speaks_mqtt_and_reads_the_answer() -> None:
    heard = bytearray()

    def answer(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            heard.extend(peer.recv(1_024))
            peer.sendall(b"\x20\x02\x00\x05")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        address = parse_address(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        assert servers.sign_in(address, ("hub", "secret")) == 5
        thread.join(10)
    assert heard[2:8] == b"\x00\x04MQTT"
    assert heard.endswith(b"\x00\x03hub\x00\x06secret")
    with pytest.raises(OSError, match=r"refused|timed out"):
        servers.sign_in(address, ("hub", "secret"))


def test_another_broker_that_is_silent_is_a_failure_and_never_tells_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = HubConfig(telemetry=TelemetryConfig(broker=f"mqtt://hub:hush@127.0.0.1:{port}"))
    (finding,) = servers.check_broker(Subject("hub.toml", config))
    assert finding.code == "broker.silent"
    assert "hush" not in str(finding)


def binding_answer(request: bytes, address: str, port: int) -> bytes:
    """A success response with one XOR-MAPPED-ADDRESS (RFC 8489 §14.2)."""
    packed = bytes(a ^ b for a, b in zip(socket.inet_aton(address), request[4:8], strict=True))
    value = struct.pack("!HH", 1, port ^ 0x2112) + packed
    return struct.pack("!HH", 0x0101, 12) + request[4:20] + struct.pack("!HH", 0x20, 8) + value


def test_a_stun_server_is_asked_and_its_answer_read() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            request, peer = server.recvfrom(2_048)
            server.sendto(binding_answer(request, "203.0.113.9", 4_242), peer)

        thread = threading.Thread(target=answer)
        thread.start()
        seen = servers.ask("127.0.0.1", server.getsockname()[1])
        thread.join(10)
    assert seen[:2] == ("203.0.113.9", 4_242)
    assert servers.judge_stun("s", seen, []).code == "stun.answers"
    assert servers.judge_stun("s", seen, ["192.0.2.5"]).code == "stun.elsewhere"


def test_a_damaged_stun_answer_is_refused_at_every_length() -> None:
    request = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
    whole = binding_answer(request, "203.0.113.9", 4_242)
    assert servers.parse_answer(whole, bytes(12)) == ("203.0.113.9", 4_242)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"STUN|response"):
            servers.parse_answer(whole[:length], bytes(12))
    with pytest.raises(ValueError, match="no success"):
        servers.parse_answer(whole, bytes(11) + b"x")


def test_a_stun_server_that_cannot_be_asked_is_named() -> None:
    found = servers.check_stun(Subject("hub.toml", None, stun=("127.0.0.1:1x",)))
    assert codes(found) == ["stun.silent"]
    assert codes(servers.check_stun(Subject("hub.toml", None))) == ["stun.none"]


def test_a_hub_without_its_state_folder_is_a_failure(tmp_path: Path) -> None:
    vehicle = msgspec.convert({"site": "a", "id": "b", "kind": "bus"}, VehicleSection)
    subject = Subject(str(tmp_path / "hub.toml"), HubConfig(vehicle=[vehicle]))
    assert codes(storage.check_state(subject)) == ["state.missing"]
    assert codes(storage.check_fsync(subject)) == ["fsync.no_folder"]
