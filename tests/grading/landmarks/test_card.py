"""What a card says of landmark networks is read strictly."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from grading.errors import BundleError
from grading.fields import Fields
from grading.landmarks.card import Belief, LandmarkCard, read_landmark_card
from grading.landmarks.network import AXIAL, SAGITTAL
from grading.provenance import Provenance

PROVENANCE = Provenance("none", "none", "none", "none", 1.0, 2, {"minutes": None})
BELIEF = Belief("phantoms", 500, 6.0, 0.01, 0.9, 4, 12)
CARD = LandmarkCard(AXIAL, SAGITTAL, 6.0, PROVENANCE, {"sacrum": 1.5}, BELIEF)


def read(content: dict[str, Any]) -> LandmarkCard | None:
    return read_landmark_card(Fields(Path("card.json"), "landmarks", content))


def written() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(asdict(CARD)))
    return content


def test_landmarks_come_back_as_they_were_written() -> None:
    assert read(written()) == CARD


def test_a_card_of_before_a_spread_was_chosen_is_still_read() -> None:
    content = written()
    del content["belief"]

    card = read(content)

    assert card is not None
    assert card.belief is None


def test_a_card_of_before_gross_errors_were_counted_is_still_read() -> None:
    content = written()
    for key in ("gross_believed", "gross_rejected"):
        del content["belief"][key]

    card = read(content)

    assert card is not None
    assert card.belief is not None
    assert card.belief.gross_rejected is None


@pytest.mark.parametrize(
    ("plane", "key", "value", "complaint"),
    [
        ("axial", "points", 3, "4 points, 1 flags"),
        ("axial", "flags", 0, "4 points, 1 flags"),
        ("sagittal", "many", 0, "1 of many places"),
        ("sagittal", "widths", [], "fewer than two"),
        ("axial", "size_mm", -1.0, "not positive"),
    ],
)
def test_a_network_that_answers_something_else_is_refused(
    plane: str, key: str, value: object, complaint: str
) -> None:
    content = written()
    content[plane][key] = value

    with pytest.raises(BundleError, match=complaint):
        read(content)


def test_a_spread_below_which_nothing_is_found_is_refused() -> None:
    with pytest.raises(BundleError, match="a positive length"):
        read(written() | {"largest_spread_mm": 0.0})
