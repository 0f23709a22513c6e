"""The machine itself: its clock, processors, limits and programs."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path
from typing import Final

from supervisor import clock
from supervisor.doctor import holders
from supervisor.doctor.finding import Finding, Subject
from supervisor.doctor.network import hub_processes

MAX_ERROR_S: Final = 2.0
"""A time service that asks every half hour lets the kernel's bound grow to about 1 s
(500 ppm, adjtimex(2)); beyond this none has answered for long."""

BASE_FILES: Final = 256
FILES_EACH: Final = 8
"""Descriptors that a vehicle may need: its broker connection, signalling, and as many
again while it dials anew; consoles and files are in the base."""

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "firefox", "firefox-esr")
SYSTEM: Final = Path("/sys/devices/system/cpu")
CPU_INFO: Final = Path("/proc/cpuinfo")


def check_clock(subject: Subject) -> list[Finding]:
    """Ask the kernel whether its wall clock is kept."""
    return [judge_clock(clock.discipline())]


def judge_clock(told: clock.Discipline) -> Finding:
    """Say what the kernel's word on its clock means."""
    error_ms = round(told.max_error_s * 1_000, 1)
    if not told.synchronised:
        return Finding("clock.free", value=error_ms, unit="ms")
    code = "clock.kept" if told.max_error_s <= MAX_ERROR_S else "clock.stale"
    return Finding(code, value=error_ms, unit="ms")


def check_files(subject: Subject) -> list[Finding]:
    """Compare the limit of open files with the number of vehicles."""
    assert subject.config is not None
    hubs = sorted(hub_processes(subject, holders.processes()))
    vehicles = len(subject.config.vehicle)
    if hubs:
        soft, _ = resource.prlimit(hubs[0], resource.RLIMIT_NOFILE)
        return [judge_files(soft, vehicles, f"pid {hubs[0]}")]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [judge_files(soft, vehicles, "")]


def judge_files(limit: int, vehicles: int, about: str) -> Finding:
    """Say whether a limit of open files is enough.

    Args:
        limit: Soft limit; -1 is none.
        vehicles: That are configured.
        about: The running hub it was read from; empty: this process.
    """
    wanted = BASE_FILES + FILES_EACH * vehicles
    fill = {"wanted": str(wanted), "vehicles": str(vehicles)}
    if limit == resource.RLIM_INFINITY:
        return Finding("files.enough", about, "unlimited", "", fill)
    return Finding("files.enough" if limit >= wanted else "files.few", about, limit, "", fill)


def check_processors(subject: Subject) -> list[Finding]:
    """Count processors and look at how they are run."""
    governors = set()
    for path in SYSTEM.glob("cpu[0-9]*/cpufreq/scaling_governor"):
        governors.add(path.read_text().strip())
    try:
        flags = CPU_INFO.read_text(errors="replace")
    except OSError:
        flags = ""
    return judge_processors(
        len(os.sched_getaffinity(0)),
        sorted(governors),
        virtual=None if not flags else " hypervisor" in flags,
    )


def judge_processors(count: int, governors: list[str], *, virtual: bool | None) -> list[Finding]:
    """Say what the processors mean for delay.

    Args:
        count: That this process may use.
        governors: Frequency governors in use; empty: the system does not say.
        virtual: A hypervisor runs this machine; None: the system does not say.
    """
    findings = [Finding("processors.enough" if count > 1 else "processors.one", value=count)]
    if "powersave" in governors:
        findings.append(Finding("processors.powersave", ", ".join(governors)))
    elif governors:
        findings.append(Finding("processors.governor", ", ".join(governors)))
    if virtual is None:
        findings.append(Finding("processors.unsaid"))
    elif virtual:
        findings.append(Finding("processors.virtual"))
    return findings


def check_browser(subject: Subject) -> list[Finding]:
    """Look for a browser; the console may as well run on another machine."""
    found = [name for name in BROWSERS if shutil.which(name)]
    return [judge_browser(found)]


def judge_browser(found: list[str]) -> Finding:
    """Say which browsers are installed here."""
    return Finding("browser.found" if found else "browser.none", ", ".join(found))
