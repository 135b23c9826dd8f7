"""From images on the wire to figures: receive, grade, export, read, evaluate."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.evaluation.places import PLACE_COLUMNS
from grading.evaluation.readers import READER_COLUMNS
from grading.grades import Finding
from tests.end_to_end.node import running_node
from tests.end_to_end.processes import NodeProcesses, node_processes
from tests.end_to_end.scanner import read, send
from tests.fakes import SameEverywhere

AXIAL_T2 = 17
"""Images of the public-domain study that the node grades."""


@pytest.fixture
def processes(sqlite_database_url: str, tmp_path: Path) -> NodeProcesses:
    with node_processes(tmp_path / "node", sqlite_database_url) as written:
        return written


def test_grades_of_a_node_and_of_readers_become_a_report(
    processes: NodeProcesses,
    hitachi_files: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table, out = tmp_path / "grades.csv", tmp_path / "report"
    images = read(hitachi_files)
    with running_node(processes.url, processes.folder / "data", SameEverywhere()) as it:
        assert set(send(it.peer, images)) == {0}
        it.work()

    exported = processes.run_here("export-grades", str(table))
    readers = graded_by_readers(table, tmp_path / "readers.csv")
    status = main(
        [
            *("evaluate", str(table), "--readers", str(readers)),
            *("--resamples", "100", "--out", str(out)),
        ]
    )

    rows = AXIAL_T2 * len(Finding)
    assert exported.returncode == 0, exported.stderr
    assert f"{rows} rows of 1 studies are in {table}" in exported.stdout
    assert images[0].PatientID not in table.read_text("utf-8")
    report = json.loads((out / "report.json").read_text("utf-8"))
    of_slices = next(group for group in report["groups"] if group["per"] == "slice")
    assert status == 0
    assert capsys.readouterr().out.startswith(report["first_line"])
    assert report["flow"]["read"] == {"patients": 1, "slices": AXIAL_T2, "levels": 0}
    assert {one["cases"] for one in of_slices["scores"].values()} == {AXIAL_T2}
    assert len(report["readers"]["panels"]) == len(Finding)


def graded_by_readers(table: Path, path: Path) -> Path:
    """Fill in a readers' table: they agree on all slices but the first."""
    with table.open(encoding="utf-8", newline="") as file:
        places = [
            {name: row[name] for name in PLACE_COLUMNS} for row in csv.DictReader(file)
        ]
    with path.open("w", encoding="utf-8", newline="") as file:
        readers = csv.DictWriter(file, (*PLACE_COLUMNS, *READER_COLUMNS), restval="")
        readers.writeheader()
        for number, place in enumerate(places):
            grades = ("1", "2", "2") if number == 0 else (f"{number % 4}",) * 2
            said = dict(zip(READER_COLUMNS, grades, strict=False))
            readers.writerow(place | said)
    return path
