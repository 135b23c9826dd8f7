"""Pseudonyms: stable, secret, and the same as those of an import."""

from __future__ import annotations

import stat
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dicom_node.pseudonyms import KEY_NAME, key_of, pseudonym
from grading.training.importing import pseudonyms as importing

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)


def test_the_key_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    first = key_of(tmp_path)

    assert key_of(tmp_path) == first
    assert len(first) == 32
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    assert key_of(tmp_path / "a") != key_of(tmp_path / "b")


def test_an_issuer_is_not_mistaken_for_the_beginning_of_an_id() -> None:
    key = bytes(32)

    assert pseudonym(key, "a", "bc") != pseudonym(key, "ab", "c")


@given(issuer=TEXT, patient_id=TEXT, key=st.binary(min_size=32, max_size=32))
def test_an_import_with_the_same_key_gives_the_same_pseudonym(
    issuer: str, patient_id: str, key: bytes
) -> None:
    person = f"{issuer}\0{patient_id}"

    assert pseudonym(key, issuer, patient_id) == importing.Pseudonyms(key).of(person)


def test_an_import_looks_for_the_key_under_the_same_name() -> None:
    assert importing.KEY_NAME == KEY_NAME
