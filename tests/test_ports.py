import socket
from pathlib import Path

import pytest

from tests import ports


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    path = tmp_path / "ip_local_port_range"
    path.write_text("32768\t60999\n")
    return path


def test_workers_count_through_ports_of_their_own_that_nobody_is_given_by_chance(
    drawn: Path,
) -> None:
    workers = ["gw0", "gw1", "gw2"]

    theirs = [set(ports.own_ports(drawn, worker)) for worker in workers]

    assert len(set.union(*theirs)) == len(workers) * ports.EACH
    assert max(map(max, theirs)) < 32768


def test_there_are_no_own_ports_where_the_kernel_draws_from_all_or_does_not_say(
    drawn: Path,
) -> None:
    drawn.write_text("1024\t65535\n")

    assert not ports.own_ports(drawn, "gw1")
    assert not ports.own_ports(drawn.parent / "nowhere", "gw1")


def test_a_port_is_free_and_is_not_given_twice() -> None:
    first, second = ports.free_port(), ports.free_port()

    assert first != second
    with socket.create_server(("127.0.0.1", first)):
        assert not ports._is_free(first)
    assert ports._is_free(second)
