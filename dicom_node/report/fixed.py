"""The words that no site may edit, by language: first lines, openings, meanings."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from dicom_node.report.phrases import Language
from grading.grades import Basis


class Doubts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How grades are named that are worth less than others."""

    uncertain: str
    """Round the places of all grades that the bundle is too unsure of."""
    place: str
    """The name of a grade, and the levels where it is meant."""
    uncalibrated: str
    """Round the names of those whose probabilities nobody calibrated."""
    right: str
    """What the grade of the right nerve root is called."""
    left: str
    roots_differ: str
    """Behind the grades of a level whose LNRC is not the worse root's grade."""


class Fixed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language; English has its sentences and meanings in the code."""

    sentences: dict[str, str]
    """The first line by basis, ``disclaimer`` and ``exclusions``."""
    doubts: Doubts
    openings: dict[Basis, str]
    """What a paragraph begins with: pasted alone it must not pass for a finding."""
    meanings: dict[str, str]
    """Code meanings by code value; a code that is not there stays English."""


@cache
def fixed(language: Language) -> Fixed:
    """Return what ``languages/<language>.fixed.toml`` says."""
    packed = files("dicom_node.report.languages").joinpath(f"{language}.fixed.toml")
    return msgspec.toml.decode(packed.read_bytes(), type=Fixed)
