"""Audit messages reach a file or a syslog server, each whole and by itself."""

from __future__ import annotations

import re
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dicom_node.audit.sinks import FileSink, SyslogSink

HEADER = re.compile(
    rb"<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 node lumbar-node \d+ "
    rb"DICOM\+RFC3881 - \xef\xbb\xbf"
)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_each_message_is_a_line_that_only_the_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"
    with closing(FileSink(path, 1 << 20, 3)) as sink:
        sink.write(b"<?xml?>\n<a/>")
        sink.write(b"<b/>")

    assert lines(path) == [b"<?xml?> <a/>", b"<b/>"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_file_is_turned_over_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"
    with closing(FileSink(path, max_bytes=10, files=3)) as sink:
        for number in range(7):
            sink.write(b"message %d" % number)

    kept = {it.name: lines(it) for it in sorted(tmp_path.iterdir())}
    assert kept == {"audit.xml.1": [b"message 6"], "audit.xml.2": [b"message 5"]}


def test_processes_that_write_to_one_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"

    def write(name: int) -> None:
        with closing(FileSink(path, max_bytes=200, files=100)) as sink:
            for number in range(50):
                sink.write(b"%d-%d" % (name, number))

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    written = [line for it in tmp_path.iterdir() for line in lines(it)]
    assert sorted(written) == sorted(
        b"%d-%d" % (name, number) for name in range(4) for number in range(50)
    )


@pytest.fixture
def datagrams() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        yield server


def test_udp_carries_one_message_in_each_datagram(datagrams: socket.socket) -> None:
    address = f"127.0.0.1:{datagrams.getsockname()[1]}"
    with closing(SyslogSink("udp", address, "node", "lumbar-node")) as sink:
        sink.write(b"<a/>")

    assert re.fullmatch(HEADER.pattern + b"<a/>", datagrams.recv(9999))


def test_a_local_socket_carries_them_too(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        with closing(SyslogSink("unix", str(path), "node", "lumbar-node")) as sink:
            sink.write(b"<a/>")

        assert re.fullmatch(HEADER.pattern + b"<a/>", server.recv(9999))


def test_tcp_counts_the_octets_and_connects_again_when_the_server_was_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        sink = SyslogSink("tcp", address, "node", "lumbar-node")
        with closing(sink):
            sink.write(b"<a/>")
            first, _ = server.accept()
            with first:
                count, _, rest = first.recv(9999).partition(b" ")
            sink.close()
            sink.write(b"<b/>")
            second, _ = server.accept()
            with second:
                again = second.recv(9999)

    assert int(count) == len(rest)
    assert HEADER.match(rest)
    assert again.endswith(b"<b/>")


def test_a_server_that_is_away_is_an_error_to_the_caller() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(OSError, match="refused"):
        SyslogSink("tcp", address, "node", "lumbar-node").write(b"<a/>")
