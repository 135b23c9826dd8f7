"""Sets of studies on disk: whole or not there, and the same on any number of cores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading.grades import Grade
from grading.phantom.studies.drawn import DrawnStudy, StudyKey
from grading.phantom.studies.summary import summary
from grading.phantom.studies.write import (
    UNFINISHED,
    Outcome,
    SetRequest,
    WrittenStudy,
    write_studies,
)
from tests.grading.phantom.drawn import draw_noise, noise_study

THREE = SetRequest(seed=7, studies=3)


def draw_one_then_fail(key: StudyKey) -> DrawnStudy:
    if key.number > 1:
        raise ValueError("no anatomy shows this; draw another seed")
    return draw_noise(key)


def draw_one_then_interrupt(key: StudyKey) -> DrawnStudy:
    if key.number > 1:
        raise KeyboardInterrupt
    return draw_noise(key)


def draw_one_then_die(key: StudyKey) -> DrawnStudy:
    if key.number > 1:
        os._exit(9)
    return draw_noise(key)


def draw_unwritable(key: StudyKey) -> DrawnStudy:
    """Draw a study whose last series cannot be encoded."""
    study = noise_study("A", key=key)
    broken = study.series[-1].images[-1]
    object.__setattr__(broken, "pixels", broken.pixels.astype("U4"))
    return study


def draw_slowly(key: StudyKey) -> DrawnStudy:
    time.sleep(0.2)
    return draw_noise(key)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_set_is_a_folder_per_study_and_a_readme(tmp_path: Path) -> None:
    written = list(write_studies(tmp_path / "set", THREE, draw_noise))

    assert names(tmp_path / "set") == ["00001", "00002", "00003", "README.txt"]
    first = tmp_path / "set" / "00001"
    assert names(first) == [
        "axial_t1",
        "axial_t2",
        "localizer",
        "sagittal_t1",
        "sagittal_t2",
        "truth.json",
    ]
    assert written[0].folder == first
    assert written[0].images == len(list(first.rglob("*.dcm")))
    assert (first / "axial_t2" / "0001.dcm").is_file()


def test_the_readme_begins_with_what_the_studies_are_not(tmp_path: Path) -> None:
    list(write_studies(tmp_path, SetRequest(7, 1), draw_noise))

    first = (tmp_path / "README.txt").read_text("utf-8").splitlines()[0]

    assert first.startswith("Computer-made phantom, not a patient")


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    list(write_studies(tmp_path / "one", THREE, draw_noise, workers=1))
    list(write_studies(tmp_path / "two", THREE, draw_noise, workers=2))

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_occupied_folder_is_refused_before_anything_is_drawn(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(FileExistsError, match=r"not empty: name a new one, or empty"):
        write_studies(tmp_path, THREE, draw_one_then_die)

    assert names(tmp_path) == ["mine.txt"]


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "set"
    place.write_text("mine")

    with pytest.raises(FileExistsError, match="is a file"):
        write_studies(place, THREE, draw_noise)

    assert place.read_text() == "mine"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_that_cannot_be_drawn_leaves_the_whole_ones(
    tmp_path: Path, workers: int
) -> None:
    with pytest.raises(ValueError, match="draw another seed"):
        list(write_studies(tmp_path / "set", THREE, draw_one_then_fail, workers))

    assert names(tmp_path / "set") == ["00001", "README.txt"]


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_left_where_no_study_can_be_drawn(
    tmp_path: Path, workers: int
) -> None:
    with pytest.raises(ValueError, match="draw another seed"):
        list(write_studies(tmp_path / "set", THREE, draw_nothing, workers))

    assert names(tmp_path) == []


def draw_nothing(key: StudyKey) -> DrawnStudy:
    raise ValueError(f"no anatomy shows {key.prevalence}; draw another seed")


def test_half_a_study_is_removed(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        list(write_studies(tmp_path, THREE, draw_unwritable))

    assert names(tmp_path) == []


def test_an_interrupt_leaves_whole_studies_only(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        list(write_studies(tmp_path, THREE, draw_one_then_interrupt))

    assert names(tmp_path) == ["00001", "README.txt"]


def test_ctrl_c_stops_all_workers_and_leaves_whole_studies_only(
    tmp_path: Path,
) -> None:
    program = (
        # As from a terminal: whoever runs these tests may ignore interrupts.
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\n"
        "from grading.phantom.studies.write import SetRequest, write_studies\n"
        "from tests.grading.phantom.test_study_writing import draw_slowly\n"
        f"out = Path({str(tmp_path / 'set')!r})\n"
        "for one in write_studies(out, SetRequest(7, 1000), draw_slowly, 2):\n"
        "    print(one.folder.name, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        assert running.stdout
        running.stdout.readline()

        # A terminal tells every process of the group.
        os.killpg(running.pid, signal.SIGINT)
        running.wait(timeout=120)

    left = names(tmp_path / "set")
    assert running.returncode != 0
    assert 1 < len(left) < 20
    assert not any(name.startswith(UNFINISHED) for name in left)
    complete = [p for p in (tmp_path / "set").iterdir() if p.is_dir()]
    assert all((study / "truth.json").is_file() for study in complete)


def test_a_killed_worker_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"ask for fewer workers; .* of 3 studies are"):
        list(write_studies(tmp_path, THREE, draw_one_then_die, workers=2))

    assert not any(name.startswith(UNFINISHED) for name in names(tmp_path))


@pytest.mark.parametrize(
    ("seed", "studies", "message"),
    [
        (7, 0, "ask for 1 or more"),
        (-1, 3, "not within 0 to"),
        (2**63, 3, "not within 0 to"),
    ],
)
def test_an_impossible_set_is_refused(seed: int, studies: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SetRequest(seed, studies)


def test_the_summary_counts_grades_obtained_against_grades_asked_for() -> None:
    zero, two = Grade.GRADE_0, Grade.GRADE_2
    outcomes = (
        Outcome((zero, zero, zero), (zero, zero, zero)),
        Outcome((two, zero, zero), (zero, zero, zero)),
        Outcome((two, zero, zero), None),
    )

    lines = summary([WrittenStudy(Path("00001"), 80, outcomes)]).splitlines()

    assert lines[0] == "1 studies, 80 images; 5 of 9 grades measured as asked for"
    assert lines[2].split() == ["LDH", "asked", "for", "0", "1", "2", "3", "none"]
    assert lines[3].split() == ["0", "1", "0", "0", "0", "0"]
    assert lines[5].split() == ["2", "1", "0", "0", "0", "1"]
