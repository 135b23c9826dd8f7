from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.grades import Weighting
from grading.headers import Acquisition
from grading.weighting import contrast, evidence, is_silent, weighting_of
from tests.grading.builders import T2, image, stack

SILENT = Acquisition()
PROTON_DENSITY = replace(T2, echo_time_ms=21)


def described(description: str, acquisition: Acquisition = SILENT) -> Weighting:
    return weighting_of(stack(acquisition=acquisition).images, description)


@pytest.mark.parametrize(
    ("acquisition", "weighting"),
    [
        (T2, Weighting.T2),
        (Acquisition(echo_time_ms=95), Weighting.T2),
        (Acquisition(21, 567), Weighting.T1),
        (Acquisition(21, 3000), Weighting.PROTON_DENSITY),
        (Acquisition(95, 900), Weighting.OTHER),
        (Acquisition(700, 8000), Weighting.OTHER),
        (Acquisition(repetition_time_ms=500), Weighting.T1),
        (Acquisition(repetition_time_ms=4000), Weighting.UNKNOWN),
        (Acquisition(contrast="T2"), Weighting.T2),
        (Acquisition(contrast="T1"), Weighting.T1),
        (replace(T2, gradient_echo=True), Weighting.OTHER),
        (replace(T2, echo_planar=True), Weighting.DIFFUSION),
        (replace(T2, diffusion=True), Weighting.DIFFUSION),
        (replace(T2, fat_suppressed=True), Weighting.T2_FAT_SUPPRESSED),
        (replace(T2, inversion_recovery=True), Weighting.T2_FAT_SUPPRESSED),
        (replace(T2, inversion_time_ms=140), Weighting.T2_FAT_SUPPRESSED),
        (replace(T2, inversion_time_ms=2200), Weighting.OTHER),
        (replace(T2, image_type=("DERIVED", "PRIMARY", "WATER")), Weighting.DIXON),
        (replace(T2, image_type=("DERIVED", "SECONDARY")), Weighting.T2),
        (SILENT, Weighting.UNKNOWN),
    ],
)
def test_the_sequence_tells_the_weighting(
    acquisition: Acquisition, weighting: Weighting
) -> None:
    assert contrast(acquisition) is weighting


@pytest.mark.parametrize(
    ("description", "weighting"),
    [
        ("T2", Weighting.T2),
        ("Ax T2 FSE", Weighting.T2),
        ("t2_tse_tra", Weighting.T2),
        ("AX T2W T12-L1", Weighting.T2),
        ("T2 respiratory triggered", Weighting.T2),
        ("T2 medical centre protocol", Weighting.T2),
        ("T1", Weighting.T1),
        ("t1_tse_tra", Weighting.T1),
        ("AX T2*", Weighting.OTHER),
        ("t2_star_tra", Weighting.OTHER),
        ("t2_me2d_medic", Weighting.OTHER),
        ("AX T2 FS", Weighting.T2_FAT_SUPPRESSED),
        ("t2_tse_fs_tra", Weighting.T2_FAT_SUPPRESSED),
        ("T2 FATSAT AX", Weighting.T2_FAT_SUPPRESSED),
        ("T2 fat-suppressed", Weighting.T2_FAT_SUPPRESSED),
        ("STIR ax", Weighting.T2_FAT_SUPPRESSED),
        ("t2_tirm_tra", Weighting.T2_FAT_SUPPRESSED),
        ("T2W_SPIR", Weighting.T2_FAT_SUPPRESSED),
        ("T2 SPAIR", Weighting.T2_FAT_SUPPRESSED),
        ("mDIXON T2 water", Weighting.DIXON),
        ("t2_tse_dixon_tra_W", Weighting.DIXON),
        ("axial", Weighting.UNKNOWN),
        ("", Weighting.UNKNOWN),
        ("T12 L1", Weighting.UNKNOWN),
    ],
)
def test_a_silent_header_leaves_the_word_to_the_description(
    description: str, weighting: Weighting
) -> None:
    assert described(description) is weighting


def test_a_long_repetition_time_alone_leaves_the_word_to_the_description() -> None:
    assert described("T2", Acquisition(repetition_time_ms=4000)) is Weighting.T2


def test_fat_saturation_counts_in_a_header_without_times() -> None:
    suppressed = Acquisition(fat_suppressed=True)

    assert described("T2", suppressed) is Weighting.T2_FAT_SUPPRESSED


@pytest.mark.parametrize(
    "acquisition",
    [
        Acquisition(inversion_time_ms=150),
        Acquisition(gradient_echo=True),
        Acquisition(image_type=("DERIVED", "PRIMARY", "W")),
        Acquisition(21, 567),
    ],
)
def test_a_description_never_makes_t2_of_other_physics(
    acquisition: Acquisition,
) -> None:
    assert described("T2 AX", acquisition) is not Weighting.T2


@pytest.mark.parametrize("description", ["T1 AX", "PD AX", "dixon", "", "T2*"])
def test_physics_outweighs_a_wrong_description(description: str) -> None:
    assert described(description, T2) is Weighting.T2


@pytest.mark.parametrize("description", ["T2 AX FS", "t2_tse_fs_tra", "T2 SPAIR"])
def test_what_is_called_fat_suppressed_is_so_whatever_scan_options_say(
    description: str,
) -> None:
    assert described(description, T2) is Weighting.T2_FAT_SUPPRESSED


@pytest.mark.parametrize(
    "description", ["localizer", "LOC", "t2_haste_loc", "Survey", "3-plane", "Scout"]
)
def test_what_is_called_a_localizer_is_one(description: str) -> None:
    assert described(description, T2) is Weighting.LOCALIZER


def test_an_image_type_of_localizer_makes_one() -> None:
    planned = replace(T2, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))

    assert described("T2 AX", planned) is Weighting.LOCALIZER


@pytest.mark.parametrize("description", ["T2 LOCAL COIL", "BLOCK T2", "allocated"])
def test_a_word_that_contains_loc_makes_no_localizer(description: str) -> None:
    assert described(description, T2) is Weighting.T2


@pytest.mark.parametrize(
    ("echoes_ms", "weighting"),
    [
        ((95,) * 3 + (21,) * 3, Weighting.T2),
        ((95,) * 3 + (21,) * 4, Weighting.PROTON_DENSITY),
        ((95,) * 2 + (21,) * 2, Weighting.PROTON_DENSITY),
        ((95,) * 2, Weighting.T2),
    ],
)
def test_a_double_echo_is_t2_where_at_least_half_of_it_is(
    echoes_ms: tuple[float, ...], weighting: Weighting
) -> None:
    images = [
        image(n, acquisition=replace(T2, echo_time_ms=echo))
        for n, echo in enumerate(echoes_ms)
    ]

    assert weighting_of(images, "") is weighting


def test_the_evidence_of_a_double_echo_is_that_of_its_t2_echo() -> None:
    images = [
        *(image(n, acquisition=PROTON_DENSITY) for n in (1, 2, 3)),
        *(image(n) for n in (4, 5, 6)),
    ]

    assert evidence(images, Weighting.T2) == "TE 95 ms, TR 4455 ms"


@pytest.mark.parametrize(
    ("acquisition", "words"),
    [
        (T2, "TE 95 ms, TR 4455 ms"),
        (replace(T2, inversion_time_ms=140), "TE 95 ms, TR 4455 ms, TI 140 ms"),
        (Acquisition(contrast="T2"), "acquisition contrast T2"),
        (
            Acquisition(8, 400, gradient_echo=True),
            "TE 8 ms, TR 400 ms, gradient echo",
        ),
        (
            replace(T2, fat_suppressed=True),
            "TE 95 ms, TR 4455 ms, fat saturation",
        ),
        (SILENT, "by its description, the header gives no TE"),
        (
            Acquisition(repetition_time_ms=4000),
            "by its description, the header gives no TE, TR 4000 ms",
        ),
    ],
)
def test_the_evidence_is_what_the_header_says(
    acquisition: Acquisition, words: str
) -> None:
    assert evidence([image(acquisition=acquisition)], contrast(acquisition)) == words


def test_one_image_that_tells_its_weighting_breaks_the_silence() -> None:
    silent = list(stack(acquisition=SILENT).images)

    assert is_silent(silent)
    assert not is_silent([*silent, image(9)])


@given(
    echo_ms=st.none() | st.floats(0.1, 500),
    repetition_ms=st.none() | st.floats(0.1, 20000),
    description=st.sampled_from(["", "T2", "T1", "t2 ax", "PD"]),
)
def test_a_series_is_t2_only_for_a_long_echo_or_by_a_description_that_says_so(
    echo_ms: float | None, repetition_ms: float | None, description: str
) -> None:
    acquisition = Acquisition(echo_ms, repetition_ms)

    found = described(description, acquisition)

    if found is Weighting.T2:
        assert echo_ms is None or echo_ms >= 60
        assert repetition_ms is None or repetition_ms > 1200
        assert echo_ms is not None or "t2" in description.lower()
