"""From slices to levels: means, worst slices and key slices.

The rule stands in ``docs/levels.md``. A level's grades are the mean of the
probabilities of the slices that pass through its disc; beside the mean stands the slice
with the highest grade. Where no level is known a slab stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grading.grades import (
    Finding,
    Grading,
    Level,
    LevelGrade,
    Side,
    SliceGrade,
    SliceKey,
    mean_grading,
)


def level_grades(
    slice_grades: Sequence[SliceGrade], slab_count: int
) -> tuple[LevelGrade, ...]:
    """Give each disc level the mean probabilities of the slices through its disc.

    A slab of which no slice has a level is graded by itself: by the slices that show
    a disc, by all that may where none is known to. What is known to pass through no
    disc counts nowhere, so there may be no level at all.
    """
    groups = _by_level(slice_grades) + _by_slab(slice_grades)
    places = {one.key: place for place, one in enumerate(slice_grades)}
    groups.sort(key=lambda group: min(places[one.key] for one in group))
    return tuple(_level_grade(members, slab_count) for members in groups)


def _by_level(slice_grades: Sequence[SliceGrade]) -> list[list[SliceGrade]]:
    groups: dict[Level, list[SliceGrade]] = {}
    for one in slice_grades:
        if one.level and one.through_disc:
            groups.setdefault(one.level, []).append(one)
    return list(groups.values())


def _by_slab(slice_grades: Sequence[SliceGrade]) -> list[list[SliceGrade]]:
    levelled = {one.slab for one in slice_grades if one.level}
    groups: dict[int, list[SliceGrade]] = {}
    for one in slice_grades:
        if one.slab not in levelled and one.through_disc is not False:
            groups.setdefault(one.slab, []).append(one)
    return [
        [one for one in members if one.through_disc] or members
        for members in groups.values()
    ]


def _level_grade(members: Sequence[SliceGrade], slabs: int) -> LevelGrade:
    means = {
        finding: mean_grading([member.grades[finding] for member in members])
        for finding in Finding
    }
    key = max(members, key=lambda member: _certainty(member, means))
    levels = {member.level for member in members if member.through_disc}
    return LevelGrade(
        level=levels.pop() if len(levels) == 1 else None,
        slab=key.slab,
        slabs=slabs,
        key_slice=key.key,
        slices=tuple(member.key for member in members),
        grades=means,
        worst={finding: _worst(members, finding) for finding in Finding},
        roots=_roots(members),
    )


def _certainty(member: SliceGrade, means: Mapping[Finding, Grading]) -> float:
    """Return how surely a slice shows the grades that its level is given.

    So a reader who looks at one slice sees what the report says.
    """
    return sum(
        member.grades[finding].probabilities[mean.grade]
        for finding, mean in means.items()
    )


def _worst(members: Sequence[SliceGrade], finding: Finding) -> SliceKey:
    """Return the slice with the highest grade, the most certain of several."""

    def badness(member: SliceGrade) -> tuple[int, float]:
        grading = member.grades[finding]
        return grading.grade, grading.probability

    return max(members, key=badness).key


def _roots(members: Sequence[SliceGrade]) -> Mapping[Side, Grading]:
    return {
        side: mean_grading([member.roots[side] for member in members])
        for side in Side
        if all(side in member.roots for member in members)
    }
