"""Notifications, received by a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.systemd import notify, watchdog_seconds


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that listens as systemd does."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listening


def test_a_state_arrives_as_one_datagram(manager: socket.socket) -> None:
    notify("READY=1\nSTATUS=receiving")

    assert manager.recv(1024) == b"READY=1\nSTATUS=receiving"


def test_an_abstract_socket_is_reached_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"lumbar-node-{tmp_path.name}-{id(tmp_path)}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(10)

        notify("WATCHDOG=1")

        assert listening.recv(1024) == b"WATCHDOG=1"


def test_without_a_service_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    notify("READY=1")


def test_a_service_manager_that_is_gone_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))

    notify("WATCHDOG=1")


@pytest.mark.parametrize(
    ("microseconds", "seconds"), [("60000000", 60.0), ("500000", 0.5), ("", None)]
)
def test_the_watchdogs_span_is_told_in_microseconds(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)

    assert watchdog_seconds() == seconds


def test_without_a_watchdog_there_is_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)

    assert watchdog_seconds() is None
