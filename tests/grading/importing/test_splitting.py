"""Patients and their parts: always the same, and never on both sides."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.pseudonyms import pseudonym
from grading.evaluation.delimited import CasesError
from grading.training.importing.pseudonyms import (
    KEY_NAME,
    Pseudonyms,
    pseudonyms_of,
)
from grading.training.importing.splitting import part_of, united
from grading.training.manifest import Part

PEOPLE = st.sampled_from("abcdefgh")
GROUPS = st.lists(st.frozensets(PEOPLE, min_size=1, max_size=3), max_size=5)


def test_parts_are_near_70_15_and_15_percent() -> None:
    counts = Counter(part_of(f"patient {i}") for i in range(10_000))

    assert abs(counts[Part.TRAINING] - 7000) < 150
    assert abs(counts[Part.VALIDATION] - 1500) < 120
    assert abs(counts[Part.TEST] - 1500) < 120


def test_a_patients_part_is_the_same_in_every_import() -> None:
    assert [part_of(f"issuer\0{i}") for i in range(4)] == [
        Part.TRAINING,
        Part.TRAINING,
        Part.TRAINING,
        Part.TEST,
    ]


@given(groups=GROUPS, order=st.randoms())
def test_who_is_in_one_group_has_one_speaker_in_whatever_order(
    groups: list[frozenset[str]], order: object
) -> None:
    speakers = united("abcdefgh", groups)
    shuffled = list(groups)
    order.shuffle(shuffled)  # type: ignore[attr-defined]

    assert united("abcdefgh", shuffled) == speakers
    for group in groups:
        assert len({speakers[person] for person in group}) == 1
    alone = set("abcdefgh").difference(*groups)
    assert all(speakers[person] == person for person in alone)


def test_long_chains_of_one_person_are_one_group() -> None:
    people = [f"{i:05d}" for i in range(20_000)]
    groups = [frozenset(pair) for pair in pairwise(people)]

    assert set(united(people, reversed(groups)).values()) == {people[0]}


def test_a_key_that_was_cut_short_hides_nobody_and_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_NAME).write_bytes(b"")

    with pytest.raises(CasesError, match="has 0 bytes instead of 32"):
        pseudonyms_of(tmp_path)


def test_a_pseudonym_needs_the_key() -> None:
    one, other = Pseudonyms(b"one"), Pseudonyms(b"other")

    assert one.of("issuer\0P1") == Pseudonyms(b"one").of("issuer\0P1")
    assert one.of("issuer\0P1") != other.of("issuer\0P1")
    assert one.of("issuer\0P1") != one.of("other\0P1")


def test_a_patient_has_one_pseudonym_in_import_and_export() -> None:
    exported = pseudonym(b"key", "SITE", "P1")

    assert Pseudonyms(b"key").of("SITE\0P1") == exported
