"""A phantom study on its way through a PACS and the node, and onto a full disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dicom_node.demo_pacs import Orthanc, returned
from grading.__main__ import main
from grading.phantom.studies.files import TRUTH
from grading.phantom.studies.write import SetRequest, write_studies
from storage import studies
from tests.end_to_end.node import Node
from tests.end_to_end.test_round_trip import ONE_OF_EACH, classes
from tests.grading.phantom.drawn import draw_noise


@pytest.fixture
def database_url(sqlite_database_url: str) -> str:
    """One database will do: what differs here is the study."""
    return sqlite_database_url


@pytest.fixture
def phantom_study(tmp_path: Path) -> Path:
    """A small study as the command line draws it: RLE, and a name in two scripts."""
    out = tmp_path / "set"
    arguments = ["phantom", str(out), "--studies", "1", "--seed", "44"]
    assert main([*arguments, "--workers", "1"]) == 0
    return out / "00001"


def test_the_node_grades_a_phantom_study_and_refuses_its_other_series(
    orthanc: Orthanc, node: Node, phantom_study: Path
) -> None:
    truth = json.loads((phantom_study / TRUTH).read_text("utf-8"))
    meant = {
        image["series_instance_uid"]: image["role"] == "axial_t2"
        for image in truth["images"]
    }
    orthanc.fill(sorted(phantom_study.rglob("*.dcm")))

    orthanc.route(node.peer)
    node.work()

    with node.database.reading.begin() as session:
        verdicts = studies.verdicts(session, truth["study_instance_uid"])
    assert {v.series_instance_uid: v.graded for v in verdicts} == meant
    assert sum(v.slices for v in verdicts) == len(truth["images"])
    assert classes(returned(orthanc)) == ONE_OF_EACH
    assert node.overview().alarms == ()


def test_a_full_disk_leaves_whole_studies_and_says_so(small_disk: Path) -> None:
    out = small_disk / "set"

    with pytest.raises(OSError, match=r"no space left .* of 9 studies are whole"):
        list(write_studies(out, SetRequest(7, 9), draw_noise))

    left = sorted(path.name for path in out.iterdir())
    assert left[-1] == "README.txt"
    assert 1 <= len(left[:-1]) < 9
    for name in left[:-1]:
        listed = json.loads((out / name / TRUTH).read_text("utf-8"))["images"]
        assert all((out / name / image["file"]).is_file() for image in listed)
