"""What a series' contrast shows: T1, T2, fat-suppressed and so on.

Physics first: TE and TR, sequence, inversion time. A description is believed only
where the header is silent, because technologists rename protocols and forget to
rename them back. Two exceptions err towards refusing: a series that is called a
localizer or fat-suppressed is one, since headers often leave that out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from grading.grades import Weighting
from grading.headers import Acquisition, ImageHeader

MIN_T2_ECHO_MS = 60.0
MAX_T2_ECHO_MS = 250.0
"""Longer echoes leave fluid alone (MR myelography): no fat, no muscle to see."""
MIN_T2_REPETITION_MS = 1500.0
MAX_T1_REPETITION_MS = 1200.0
"""Between the two a spin echo is neither T1- nor T2-weighted at any field."""
MAX_STIR_INVERSION_MS = 260.0
"""Fat is nulled at 85 ms (0.2 T) to 230 ms (3 T); FLAIR inverts for over 700 ms."""

MIN_T2_IMAGES = 3
"""A series with fewer T2-weighted images among others is no T2-weighted stack."""

DIXON_TYPES = {"WATER", "FAT", "OUT_PHASE", "OPP_PHASE", "DIXON", "W", "F", "OP"}
"""Image Type values by which vendors mark images that Dixon's method computed."""


def _spelled(*words: str) -> re.Pattern[str]:
    """Match any of the words, also between underscores: ``t2_tse_fs_tra``."""
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(words)})", re.I)


_END = r"(?![a-z0-9])"
_SPELLED_LOCALIZER = _spelled(
    f"loc{_END}", "locali[sz]er", "scout", "survey", "3[- ]?pl"
)
_SPELLED_FAT_SUPPRESSED = _spelled(
    "stir", f"tirm?{_END}", "spa?ir", f"fs{_END}", "f(?:at)?[- _]?sat", "fat[- _]?sup"
)
_SPELLED_DIXON = _spelled("m?dixon", f"ideal{_END}", "flex.*water", "water.*flex")
_SPELLED_T1 = _spelled("t1(?![0-9])")
_SPELLED_T2 = _spelled("t2(?![0-9])")
_SPELLED_T2_STAR = _spelled(
    r"t2[ _]*(?:\*|star)", f"medic{_END}", f"merge{_END}", "[a-z]*ffe", f"gre{_END}"
)


def weighting_of(images: Sequence[ImageHeader], description: str) -> Weighting:
    """Return what most images of the series show, T2 winning a tie."""
    if _is_localizer(images, description):
        return Weighting.LOCALIZER
    if is_silent(images):
        return _spelled_weighting(images, description)
    counts = Counter(contrast(image.acquisition) for image in images)
    if counts[Weighting.T2] >= max(MIN_T2_IMAGES, len(images) / 2):
        return _T2_unless_spelled_otherwise(description)
    counts.pop(Weighting.T2, None)
    return counts.most_common(1)[0][0] if counts else Weighting.T2


def _is_localizer(images: Sequence[ImageHeader], description: str) -> bool:
    return any("LOCALIZER" in i.acquisition.image_type for i in images) or bool(
        _SPELLED_LOCALIZER.search(description)
    )


def is_silent(images: Sequence[ImageHeader]) -> bool:
    """Return True where no image's header tells its weighting."""
    return all(contrast(image.acquisition) is Weighting.UNKNOWN for image in images)


def _T2_unless_spelled_otherwise(description: str) -> Weighting:  # noqa: N802 (T2)
    """Let the description say what Scan Options often leave out: fat suppression."""
    if _SPELLED_FAT_SUPPRESSED.search(description):
        return Weighting.T2_FAT_SUPPRESSED
    return Weighting.T2


def _spelled_weighting(images: Sequence[ImageHeader], description: str) -> Weighting:
    """Read the description of a header that is silent about its weighting."""
    if any(image.acquisition.fat_suppressed for image in images):
        return Weighting.T2_FAT_SUPPRESSED
    for pattern, weighting in (
        (_SPELLED_DIXON, Weighting.DIXON),
        (_SPELLED_FAT_SUPPRESSED, Weighting.T2_FAT_SUPPRESSED),
        (_SPELLED_T2_STAR, Weighting.OTHER),
        (_SPELLED_T1, Weighting.T1),
        (_SPELLED_T2, Weighting.T2),
    ):
        if pattern.search(description):
            return weighting
    return Weighting.UNKNOWN


def contrast(sequence: Acquisition) -> Weighting:
    """Return the weighting that sequence and times make, by spin-echo physics."""
    if DIXON_TYPES & set(sequence.image_type):
        return Weighting.DIXON
    if sequence.diffusion or sequence.echo_planar:
        return Weighting.DIFFUSION
    if sequence.gradient_echo:
        return Weighting.OTHER
    inversion = sequence.inversion_time_ms
    if sequence.inversion_recovery or inversion:
        stir = inversion is None or inversion <= MAX_STIR_INVERSION_MS
        return Weighting.T2_FAT_SUPPRESSED if stir else Weighting.OTHER
    weighting = _contrast_by_times(sequence)
    if weighting is Weighting.T2 and sequence.fat_suppressed:
        return Weighting.T2_FAT_SUPPRESSED
    return weighting


def _contrast_by_times(sequence: Acquisition) -> Weighting:
    echo, repetition = sequence.echo_time_ms, sequence.repetition_time_ms
    short = repetition is not None and repetition <= MAX_T1_REPETITION_MS
    if echo is None:
        stated = {"T1": Weighting.T1, "T2": Weighting.T2}
        unstated = Weighting.T1 if short else Weighting.UNKNOWN
        return stated.get(sequence.contrast, unstated)
    if MIN_T2_ECHO_MS <= echo <= MAX_T2_ECHO_MS:
        long_enough = repetition is None or repetition >= MIN_T2_REPETITION_MS
        return Weighting.T2 if long_enough else Weighting.OTHER
    if echo > MAX_T2_ECHO_MS:
        return Weighting.OTHER
    return Weighting.T1 if short else Weighting.PROTON_DENSITY


def evidence(images: Sequence[ImageHeader], weighting: Weighting) -> str:
    """Return what speaks for the weighting: "TE 95 ms, TR 4455 ms"."""
    sequences = [image.acquisition for image in images]
    # Of a double echo the other one's TE would belie the verdict.
    fitting = (found for found in sequences if contrast(found) is weighting)
    sequence = next(fitting, sequences[0])
    words = _physics(sequence)
    if contrast(sequence) is Weighting.UNKNOWN:
        words.insert(0, "by its description, the header gives no TE")
    return ", ".join(words)


def _physics(sequence: Acquisition) -> list[str]:
    times = (
        ("TE", sequence.echo_time_ms),
        ("TR", sequence.repetition_time_ms),
        ("TI", sequence.inversion_time_ms),
    )
    words = [f"{name} {value:.0f} ms" for name, value in times if value is not None]
    if sequence.echo_time_ms is None and sequence.contrast:
        words.append(f"acquisition contrast {sequence.contrast}")
    if sequence.gradient_echo:
        words.append("gradient echo")
    if sequence.fat_suppressed:
        words.append("fat saturation")
    return words
