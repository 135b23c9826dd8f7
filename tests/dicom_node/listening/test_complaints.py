"""Log lines about strangers: enough to see them, too few to drown in."""

from __future__ import annotations

import pytest

from dicom_node.listening import complaints
from dicom_node.listening.complaints import LINES, SPAN_SECONDS, Complaints
from dicom_node.logs import Action

REFUSED = Action.ASSOCIATION_REFUSED


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_flood_of_refusals_is_a_few_lines_and_the_last_one_says_so(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    said = Complaints(clock)

    for _ in range(1000):
        said.say("192.0.2.1", REFUSED, "refused")

    assert len(caplog.messages) == LINES
    assert caplog.messages[-1] == "refused; more like it are not logged for 60 s"


def test_the_next_span_begins_with_how_many_were_left_out(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    said = Complaints(clock)
    for _ in range(LINES + 7):
        said.say("192.0.2.1", REFUSED, "refused")

    clock.seconds += SPAN_SECONDS
    said.say("192.0.2.1", REFUSED, "refused")

    assert caplog.messages[-1] == "refused (7 more like it were not logged)"


def test_one_address_does_not_hide_another_or_another_kind_of_line(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    said = Complaints(clock)
    for _ in range(1000):
        said.say("192.0.2.1", REFUSED, "refused")

    said.say("192.0.2.2", REFUSED, "another one")
    said.say("192.0.2.1", Action.ASSOCIATION_ABORTED, "another kind")

    assert caplog.messages[-2:] == ["another one", "another kind"]


def test_any_number_of_addresses_takes_bounded_memory_and_lines(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaints, "MAX_SPANS", 10)
    said = Complaints(clock)

    for number in range(1000):
        said.say(f"address {number}", REFUSED, "refused")

    assert len(caplog.messages) == 10 + LINES
