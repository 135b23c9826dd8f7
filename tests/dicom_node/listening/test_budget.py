"""Memory that all associations share is never exceeded, and never locks them up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_node import receiver
from dicom_node.listening.budget import Budget, Share
from tests.dicom_node.listening.conftest import QUICK, Start
from tests.dicom_node.listening.raw_peer import (
    DATA,
    OUT_OF_RESOURCES,
    SUCCESS,
    RawPeer,
    cancel_request,
    fragment,
    store_request,
)
from tests.end_to_end.node import Node
from tests.waiting import PATIENCE_SECONDS, comes_true

LONGEST, TOTAL = 10, 15
KIB = 1024
SCARCE = replace(
    QUICK,
    max_associations=10,
    max_object_bytes=1024 * KIB,
    memory_bytes=1536 * KIB,
    memory_seconds=0.2,
)
"""Room for 512 KiB, and one dataset of any length beside."""


@dataclass
class Ledger:
    """What all shares of a test hold together, at most."""

    held: int = 0
    most: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self.turn:
            self.held += count
            self.most = max(self.most, self.held)


DATASETS = st.lists(
    st.lists(st.integers(1, 5), min_size=1).filter(lambda parts: sum(parts) <= LONGEST),
    min_size=2,
    max_size=6,
)
"""By association: the lengths of the parts in which its dataset comes."""


@settings(max_examples=25)
@given(DATASETS, st.integers(LONGEST, TOTAL))
def test_datasets_that_hold_parts_of_the_budget_all_come_to_their_end(
    datasets: list[list[int]], total: int
) -> None:
    budget, ledger = Budget(total, LONGEST, PATIENCE_SECONDS), Ledger()
    all_begin = threading.Barrier(len(datasets))

    def receive(parts: list[int]) -> bool:
        share, drawn = budget.share(), 0
        all_begin.wait()
        for part in parts:
            if not share.draw(part):
                return False
            drawn += part
            ledger.add(part)
        ledger.add(-drawn)
        share.give_back()
        return True

    with ThreadPoolExecutor(len(datasets)) as associations:
        received = list(associations.map(receive, datasets))

    assert all(received)
    assert ledger.most <= total
    assert everything_is_free(budget, total)


def everything_is_free(budget: Budget, total: int) -> bool:
    """Tell whether one share gets the longest dataset, and another one the rest."""
    return budget.share().draw(LONGEST) and budget.share().draw(total - LONGEST)


def test_who_finds_no_room_in_time_holds_nothing_any_more() -> None:
    budget = Budget(TOTAL, LONGEST, wait_seconds=0.01)
    reserved, small, late = budget.share(), budget.share(), budget.share()
    assert late.draw(2)
    assert reserved.draw(4)
    assert not late.draw(4)

    assert (late.is_refused, late.held_bytes) == (True, 0)
    assert not late.draw(1)
    assert small.draw(5)
    late.give_back()
    assert late.draw(0)


def test_who_has_waited_longest_is_served_first() -> None:
    budget = Budget(TOTAL, LONGEST, PATIENCE_SECONDS)
    holder, served = budget.share(), list[str]()
    assert budget.share().draw(5)
    assert holder.draw(9)

    def wait(name: str, share: Share) -> None:
        assert share.draw(9)
        served.append(name)
        share.give_back()

    waiting = []
    for number, name in enumerate(("first", "second", "third")):
        waiting.append(threading.Thread(target=wait, args=(name, budget.share())))
        waiting[-1].start()
        assert comes_true(partial(so_many_wait, budget, number + 1))
    holder.give_back()
    for thread in waiting:
        thread.join()

    assert served == ["first", "second", "third"]


def so_many_wait(budget: Budget, count: int) -> bool:
    return len(budget._waiting) == count


def test_images_that_do_not_fit_together_are_received_one_after_the_other(
    start: Start,
) -> None:
    node = start(replace(SCARCE, memory_seconds=PATIENCE_SECONDS))
    parts = store_request(bytes(900 * KIB))
    all_begin = threading.Barrier(6)

    def send(_: int) -> bytes:
        peer = RawPeer(node.peer).associate()
        peer.send(*parts[:5])
        all_begin.wait()
        peer.send(*parts[5:])
        _, answer = peer.answer()
        peer.release()
        return answer

    with ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(send, range(6)))

    assert all(SUCCESS in answer for answer in answers)


def test_an_image_for_which_there_is_no_memory_is_refused_and_can_come_again(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(SCARCE)
    half = store_request(bytes(900 * KIB))[:-10]
    hoarders = [RawPeer(node.peer).associate() for _ in range(2)]
    hoarders[0].send(*store_request(bytes(500 * KIB))[:-1])
    assert comes_true(lambda: memory_of(node)._used_bytes > 400 * KIB)
    hoarders[1].send(*half)
    assert comes_true(lambda: memory_of(node)._has_reserve is not None)
    sender = RawPeer(node.peer).associate()

    sender.send(*store_request(bytes(300 * KIB)))
    pdu_type, refusal = sender.answer()
    sender.echo()
    hoarders[1].close()
    assert comes_true(lambda: memory_of(node)._has_reserve is None)
    sender.send(*store_request(bytes(300 * KIB)))
    _, answer = sender.answer()

    assert (pdu_type, OUT_OF_RESOURCES in refusal) == (DATA, True)
    assert SUCCESS in answer
    assert "refused what 'SCANNER' at 127.0.0.1 sends with status 0xA700" in caplog.text
    assert "raise receiver.memory_megabytes" in caplog.text
    hoarders[0].close()


def memory_of(node: Node) -> Budget:
    return node.server.memory


@pytest.mark.parametrize("ending", ["whole", "cancelled", "gone", "nonsense"])
def test_an_image_holds_no_memory_any_more_however_it_ended(
    start: Start, ending: str
) -> None:
    node = start(SCARCE)
    parts = store_request(bytes(300 * KIB))
    peer = RawPeer(node.peer).associate()
    peer.send(*parts[:-1])
    assert comes_true(lambda: memory_of(node)._used_bytes > 200 * KIB)

    if ending == "gone":
        peer.close()
    else:
        nonsense = fragment(5, 0x03, b"x")
        last = {"whole": parts[-1], "cancelled": cancel_request()}
        peer.send(last.get(ending, nonsense))

    assert comes_true(lambda: memory_of(node)._used_bytes == 0)
    peer.close()


def test_who_waits_for_memory_does_not_keep_the_node_from_stopping(
    start: Start,
) -> None:
    node = start(replace(SCARCE, memory_seconds=600))
    peers = [RawPeer(node.peer).associate() for _ in range(3)]

    def send(peer: RawPeer) -> None:
        with suppress(ConnectionError):
            peer.send(*store_request(bytes(900 * KIB))[:-1])

    with ThreadPoolExecutor(3) as senders:
        sending = [senders.submit(send, peer) for peer in peers]
        assert comes_true(partial(so_many_wait, memory_of(node), 2))

        receiver.stop(node.server)

    assert node.server._running() == []
    for it in sending:
        it.result()
    assert all(peer.is_closed() for peer in peers)
