"""Sentences for a person: what a study's grades are worth, and what they leave out."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from grading.grades import Finding, LevelGrade, RegionOrigin, SliceGrade, SliceKey
from grading.levels.belonging import Placed
from grading.levels.discs import DiscChain
from grading.levels.slabs import Slab

MAX_ONE_LEVEL_MM = 32.0
"""A longer slab reaches from one disc into the next: discs lie 34 to 38 mm apart."""


def region_notes(slice_grades: Sequence[SliceGrade]) -> list[str]:
    """Say where regions lie that no landmark of their own slice gave."""
    origins = [one.region.origin for one in slice_grades]
    lost = origins.count(RegionOrigin.CENTRE)
    carried = origins.count(RegionOrigin.NEIGHBOURS)
    notes = []
    if lost == len(origins):
        notes.append(
            "Region not located: each slice was graded in a square at the image "
            "centre. Where the spinal canal is not there, the grades mean nothing."
        )
    elif lost:
        notes.append(
            f"Region not located on {lost} of {len(origins)} slices: they were graded "
            "in a square at the image centre. Where the spinal canal is not there, "
            "their grades mean nothing."
        )
    if carried:
        notes.append(
            f"On {carried} of {len(origins)} slices the region was carried over from "
            "slices beside them."
        )
    return notes


def box_notes(drawn: Iterable[SliceKey], graded: Container[SliceKey]) -> list[str]:
    """Say how many boxes lie on images that are not graded."""
    unused = sum(key not in graded for key in drawn)
    if not unused:
        return []
    said = f"{unused} box(es) lie on images that are not graded, and were not used"
    return [f"{said}: the list of series says which are graded."]


def counting_notes(chain: DiscChain) -> list[str]:
    """Say how levels were counted, so that a reader can count again."""
    lowest = chain.discs[-1]
    counted = (
        "Levels were counted up from the sacrum on the sagittal series: the lowest "
        f"disc is called {lowest.level}, whatever the number of lumbar vertebrae; "
        f"{len(chain.levels)} discs have a name."
    )
    missed = [
        f"No disc was found between {lower.level} and the next one above, but one was "
        "counted there: check the levels above."
        for lower in reversed(chain.discs)
        if lower.gap_above and lower.level
    ]
    if any(disc.level is None for disc in chain.discs):
        return [counted, *missed, "Discs above T12/L1 are given no level."]
    return [counted, *missed]


def placing_notes(slabs: Sequence[int], placed: Sequence[Placed]) -> list[str]:
    """Say which slabs pass through no disc, and what lies beyond the known ones.

    ``slabs`` gives each slice's slab. Slices that pass beside a disc are counted
    elsewhere, by whoever reports them.
    """
    by_slab: dict[int, list[Placed]] = {}
    for slab, where in zip(slabs, placed, strict=True):
        by_slab.setdefault(slab, []).append(where)
    return [
        f"Slab {slab} {told}."
        for slab, members in sorted(by_slab.items())
        if (told := _whereabouts(members))
    ]


def look_notes(slabs: Sequence[int], placed: Sequence[Placed]) -> list[str]:
    """Say which slabs give no grades because none of their slices looks like a disc.

    For a study without levels: where they are known, `placing_notes` says more.
    """
    looking = {
        slab
        for slab, where in zip(slabs, placed, strict=True)
        if where.through_disc is not False
    }
    said = "none of its slices looks as if it shows a disc"
    return [
        f"Slab {slab}: {said}. Its grades count for no level: read the slices."
        for slab in sorted(set(slabs) - looking)
    ]


def _whereabouts(members: Sequence[Placed]) -> str:
    """Say what of a slab counts for no level, and why; empty where all of it does."""
    if all(one.beyond and one.through_disc is None for one in members):
        return "lies above the highest disc that was found: its level is not determined"
    if not all(one.through_disc is False for one in members):
        return _lost(members)
    if all(one.beyond for one in members):
        return "lies below the lowest disc: its grades count for no level"
    return "passes through no disc: its grades count for no level"


def _lost(members: Sequence[Placed]) -> str:
    """Count the slices of a slab with levels that lie where no disc was found."""
    if not any(one.level for one in members):
        return ""
    lost = [one for one in members if one.level is None and one.through_disc is None]
    above = sum(one.beyond for one in lost)
    said = [
        f"has {count} slice(s) {place}: they count for no level"
        for count, place in (
            (above, "above the highest disc that was found"),
            (len(lost) - above, "where no disc was found"),
        )
        if count
    ]
    return "; it ".join(said)


def root_notes(levels: Sequence[LevelGrade]) -> list[str]:
    """Say where the grade of the nerve roots is not that of the worse side's root.

    Each is what its own head says, and none is made to fit another.
    """
    differ = [
        f"{level.name} (LNRC {level.grades[Finding.LNRC].grade:d}, worse root "
        f"{level.worse_root:d})"
        for level in levels
        if level.roots_differ
    ]
    if not differ:
        return []
    said = "LNRC and the sides' roots are graded separately and differ at"
    return [f"{said} {', '.join(differ)}: a reader must decide."]


def uncovered_notes(uncovered: Sequence[str]) -> list[str]:
    """Say which grades this site's own evaluation says nothing about."""
    if not uncovered:
        return []
    named = ", ".join(uncovered)
    said = f"This site's evaluation did not cover {named}"
    return [f"{said}: each of these grades needs a reader."]


def level_notes(
    slice_grades: Sequence[SliceGrade],
    levels: Sequence[LevelGrade],
    slabs: Sequence[Slab],
) -> list[str]:
    """Say what the grades of slabs without a level are worth."""
    notes = []
    if any(level.level is None for level in levels):
        notes.append(
            "Disc level not determined: slabs are numbered from the head downwards."
        )
    unnamed = {level.slab for level in levels if level.level is None}
    long = [
        number
        for number, slab in enumerate(slabs, start=1)
        if number in unnamed and slab.length_mm > MAX_ONE_LEVEL_MM
    ]
    if long:
        numbers = ", ".join(str(number) for number in long)
        notes.append(
            f"Slab {numbers} is longer than one disc level: its grades are a mean "
            "over several levels. Read the slices."
        )
    return notes
