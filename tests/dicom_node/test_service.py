"""Processes that run until told to stop, watched by a socket as systemd's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.schedule import Clock
from dicom_node.service import run_clock, run_until

TIMEOUT_SECONDS = 30.0
ALIVE = b"WATCHDOG=1"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that listens as systemd does, and asks for signs of life often."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(TIMEOUT_SECONDS)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "30000")
        yield listening


def test_a_process_says_when_it_is_ready_alive_and_stopping(
    manager: socket.socket,
) -> None:
    stopping = threading.Event()
    thread = threading.Thread(
        target=run_until, args=(stopping, "receiving", lambda: True), daemon=True
    )
    thread.start()

    said = [manager.recv(1024) for _ in range(3)]
    stopping.set()
    # The socket holds a few; who says more waits until they are read.
    while (last := manager.recv(1024)) == ALIVE:
        pass
    thread.join(TIMEOUT_SECONDS)

    assert said == [b"READY=1\nSTATUS=receiving", ALIVE, ALIVE]
    assert last == b"STOPPING=1"
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(1024)


def test_a_process_that_is_not_well_gives_no_sign_of_life(
    manager: socket.socket,
) -> None:
    stopping, asked = threading.Event(), threading.Semaphore(0)

    def is_well() -> bool:
        asked.release()
        return False

    thread = threading.Thread(
        target=run_until, args=(stopping, "working", is_well), daemon=True
    )
    thread.start()
    for _ in range(3):
        assert asked.acquire(timeout=TIMEOUT_SECONDS)
    stopping.set()
    thread.join(TIMEOUT_SECONDS)

    assert manager.recv(1024) == b"READY=1\nSTATUS=working"
    assert manager.recv(1024) == b"STOPPING=1"


def test_a_clock_ticks_until_the_process_stops(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody reads meanwhile, and the socket holds a few signs of life only.
    monkeypatch.setenv("WATCHDOG_USEC", "600000000")
    clock, stopping = Clock(), threading.Event()
    clock.every(0.01, "tick", stopping.set)

    run_clock(clock, stopping, "working")

    assert manager.recv(1024) == b"READY=1\nSTATUS=working"
    assert not clock._scheduler.running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_order(number: signal.Signals) -> None:
    program = (
        "from dicom_node.service import run_until, stop_on_signals\n"
        "stopping = stop_on_signals()\n"
        "print('ready', flush=True)\n"
        "run_until(stopping, 'working', lambda: True)\n"
        "print('stopped')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        process.send_signal(number)

        assert process.stdout.read() == "stopped\n"
        assert process.wait(TIMEOUT_SECONDS) == 0


@pytest.mark.parametrize("wrong_first", [True, False])
def test_where_one_of_two_processes_ends_its_status_is_that_of_both(
    tmp_path: Path, *, wrong_first: bool
) -> None:
    # Waits for its configuration, and has not yet learned to answer SIGTERM.
    os.mkfifo(tmp_path / "starting.toml")
    starting = ("migrate", "--config", str(tmp_path / "starting.toml"))
    wrong = ("migrate", "--config", str(tmp_path / "nowhere.toml"))
    children = [wrong, starting] if wrong_first else [starting, wrong]
    program = (
        "import sys; from dicom_node.service import serve; "
        f"sys.exit(serve({children!r}))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 78
    assert "nowhere.toml" in ended.stderr
