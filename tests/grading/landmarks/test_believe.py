"""From which spread on landmarks are not believed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.__main__ import main
from grading.errors import UsageError
from grading.grades import FIRST_LINES, Basis
from grading.training import believe
from grading.training.believe import (
    GROSS_MM,
    SHARE_GROSS,
    Looked,
    largest_spread,
)
from tests.grading.landmarks.test_card import CARD
from tests.grading.tiny_bundle import tiny_bundle

RIGHT, WRONG = 1.0, GROSS_MM + 1


def test_the_limit_lies_below_the_spreads_at_which_slices_go_wrong() -> None:
    looked = [Looked(0.01 * i, RIGHT) for i in range(200)]
    looked += [Looked(5.0 + 0.1 * i, WRONG) for i in range(50)]

    limit_mm, belief = largest_spread(looked, "phantoms")

    assert 2.0 <= limit_mm <= 5.2
    assert belief.slices == 250
    assert belief.share_gross <= SHARE_GROSS
    assert 0.8 <= belief.share_believed < 0.82


def test_one_slice_far_out_does_not_lift_the_limit_to_itself() -> None:
    looked = [Looked(0.01 * i, RIGHT) for i in range(464)]
    for far in (Looked(47.0, 60.0), Looked(47.0, RIGHT)):
        limit_mm, belief = largest_spread([*looked, far], "phantoms")

        assert 4.0 <= limit_mm <= 4.7
        assert belief.gross_believed == 0
        assert belief.gross_rejected == (far.missed_mm > GROSS_MM)


def test_looks_that_disagree_are_not_believed_where_they_are_often_wrong() -> None:
    looked = [Looked(0.01 * i, RIGHT) for i in range(1000)]
    # Below one percent of all, but each third of those far out.
    looked += [Looked(20.0 + i, (WRONG, RIGHT, RIGHT)[i % 3]) for i in range(27)]

    limit_mm, belief = largest_spread(looked, "phantoms")

    assert limit_mm <= 10.0
    assert belief.gross_rejected == 9


def test_what_was_not_found_is_never_believed() -> None:
    looked = [Looked(1.0, RIGHT), Looked(math.inf, math.inf)]

    limit_mm, belief = largest_spread(looked, "phantoms")

    assert limit_mm == 1.0
    assert belief.share_believed == 0.5


def test_spreads_that_tell_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="train the landmark networks longer"):
        largest_spread([Looked(0.1, WRONG), Looked(2.0, RIGHT)], "phantoms")


def test_the_verb_says_first_what_the_bundle_rests_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tiny_bundle(tmp_path / "bundle")
    chosen = replace(bundle.card, landmarks=CARD)
    monkeypatch.setattr(believe, "choose_spread", lambda *_: chosen)

    assert main(["believe", str(bundle.path), "--lessons", "somewhere"]) == 0

    first, second = capsys.readouterr().out.splitlines()
    assert first == FIRST_LINES[Basis.PHANTOM]
    assert second.endswith("so are 12 slices that are not believed")


@given(
    st.lists(st.tuples(st.floats(0.1, 30), st.sampled_from([RIGHT, WRONG])), min_size=1)
)
def test_what_the_card_says_of_a_limit_is_what_the_slices_say(
    pairs: list[tuple[float, float]],
) -> None:
    looked = [Looked(spread, missed) for spread, missed in pairs]

    try:
        limit_mm, belief = largest_spread(looked, "phantoms")
    except UsageError:
        return

    believed = [one for one in looked if one.spread_mm <= limit_mm]
    wrong = sum(one.missed_mm > GROSS_MM for one in believed)
    assert believed
    assert belief.share_believed == round(len(believed) / len(looked), 4)
    assert belief.share_gross == round(wrong / len(believed), 4)
    assert wrong / len(believed) <= SHARE_GROSS
    assert (belief.gross_believed, belief.gross_rejected) == (
        wrong,
        sum(one.missed_mm > GROSS_MM for one in looked) - wrong,
    )
