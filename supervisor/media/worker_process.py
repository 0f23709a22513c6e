"""The process of a media worker: `python -m supervisor.media.worker_process --fd N`.

`N` is one end of a Unix socketpair to the hub. The process loads what a worker needs
and then waits on it for one byte that carries the UDP socket: from then on it is a
worker (`supervisor.media.worker`). With `--spare` it loads beside the work of others,
at the lowest priority, says so with `WARM`, and may wait for days. It ends when the hub
closes its end before that.

Little is imported here: the rest takes most of a second, and a spare takes it on a
thread of its own, because Linux has priorities per thread and gives an unprivileged one
that lowered itself no way back.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final

WARM: Final = b"W"
"""What a spare says when everything is loaded."""

TAKE: Final = b"T"
"""What carries the UDP socket."""

SPARE_NAME: Final = "enkan-spare"
WORKER_NAME: Final = "enkan-media-"
"""Names of the process as ps and top show them; a worker's number follows."""

_LOWEST: Final = 19
_PR_SET_PDEATHSIG: Final = 1


def name_process(name: str) -> None:
    """Set the name that ps and top show, where the system has such names."""
    if sys.platform == "linux":
        Path("/proc/self/comm").write_text(name, encoding="ascii")


def outlive_parent() -> None:
    """From now on the end of the process that started this one does not end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)


def main() -> None:
    """Load, wait for the UDP socket, and be a worker until the hub says that is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="socket to the hub")
    parser.add_argument("--spare", action="store_true", help="load in the background")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=arguments.fd) as control:
        control.setblocking(True)
        if arguments.spare:
            _load_in_background()
            name_process(SPARE_NAME)
            control.sendall(WARM)
        worker = importlib.import_module("supervisor.media.worker")
        try:
            said, given, _, _ = socket.recv_fds(control, 1, 1)
        except ConnectionError:
            said, given = b"", []
        if not said or not given:
            os._exit(0)  # never needed: nothing to put in order, nothing to report
        with socket.socket(fileno=given[0]) as udp:
            worker.run(control, udp)


def _load_in_background() -> None:
    """Import everything on a thread that gives way to all others."""
    failed: list[BaseException] = []

    def load() -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
        try:
            importlib.import_module("supervisor.media.worker").warm_up()
        except BaseException as error:  # noqa: BLE001 - raised again on the main thread
            failed.append(error)

    loading = threading.Thread(target=load, name="load")
    loading.start()
    loading.join()
    if failed:
        raise failed[0]


if __name__ == "__main__":
    main()
