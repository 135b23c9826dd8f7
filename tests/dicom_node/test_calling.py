"""The gate at which an association's own thread waits while its caller sends."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.calling import CallingAE


@pytest.fixture
def assoc() -> Iterator[Association]:
    pacs = AE()
    pacs.add_supported_context(Verification)
    server = pacs.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    ae = CallingAE()
    ae.add_requested_context(Verification)
    opened = ae.associate("127.0.0.1", server.server_address[1])
    assert opened.is_established
    yield opened
    opened.abort()
    server.shutdown()


def test_a_thread_that_is_about_to_wake_leaves_the_next_answer_to_the_caller(
    assoc: Association,
) -> None:
    gate = assoc._reactor_checkpoint
    answer = C_ECHO()
    for _ in range(50):
        gate.clear()
        _wait_until_paused(assoc)
        gate.set()
        gate.clear()
        _wait_until_paused(assoc)

        assoc.dimse.msg_queue.put((1, answer))
        time.sleep(0.003)

        assert assoc.dimse.get_msg(block=False) == (1, answer)
        gate.set()


def test_a_caller_is_not_kept_by_a_thread_that_has_ended(assoc: Association) -> None:
    assoc.abort()
    assoc.join(10)
    assert not assoc.is_alive()

    assoc._reactor_checkpoint.clear()

    _wait_until_paused(assoc)


def test_many_requests_in_a_row_are_all_answered(assoc: Association) -> None:
    assert all(assoc.send_c_echo().Status == 0 for _ in range(200))


def _wait_until_paused(assoc: Association) -> None:
    """As pynetdicom's callers wait, though not for ever."""
    deadline = time.monotonic() + 10
    while not assoc._is_paused:
        assert time.monotonic() < deadline, "the thread never came to the gate"
        time.sleep(0.0001)
