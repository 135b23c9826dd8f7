"""``lumbar-grading evaluate``: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from grading.__main__ import main
from tests.grading.evaluation.case_tables import Row, paper_rows, write_table
from tests.grading.evaluation.test_readers import reading, write_readings


@pytest.fixture
def rows() -> list[Row]:
    return [row | {"site": "", "scanner": ""} for row in paper_rows(keep=0.03)]


@pytest.fixture
def predictions(tmp_path: Path, rows: list[Row]) -> Path:
    return write_table(tmp_path / "predictions.csv", rows)


def evaluate(*words: str | Path) -> int:
    return main(["evaluate", *map(str, words), "--resamples", "100"])


def test_a_table_becomes_a_report_and_a_short_form_on_the_terminal(
    tmp_path: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports" / "first"

    status = evaluate(predictions, "--out", out)

    printed = capsys.readouterr().out
    assert status == 0
    assert "Model and constant predictor, per slice" in printed
    assert printed.endswith(f"report written to {out / 'report.html'}\n")
    assert {it.name for it in out.iterdir()} == {
        *("report.html", "report.md", "report.json"),
        *("rows-left-out.csv", "tables"),
    }


@pytest.mark.usefixtures("undrawn")
def test_readers_fill_in_what_a_table_of_the_node_leaves_open(
    tmp_path: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    ungraded = [row | {"reference": ""} for row in rows]
    table = write_table(tmp_path / "export.csv", ungraded)
    grades = [
        reading(0, row["reference"], row["reference"])
        | {name: row[name] for name in row if name in reading(0, "", "")}
        for row in rows
    ]
    readers = write_readings(tmp_path / "readers.csv", *grades)

    status = evaluate(table, "--readers", readers, "--out", tmp_path / "report")

    assert status == 0
    assert "LDH, model" in capsys.readouterr().out
    assert (tmp_path / "report" / "disagreements.csv").is_file()


@pytest.mark.usefixtures("undrawn")
def test_two_tables_are_compared_on_request(
    tmp_path: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = evaluate("--compare", predictions, predictions, "--out", tmp_path / "r")

    assert status == 0
    assert "these patients do not tell which is better" in capsys.readouterr().out


def test_the_papers_tables_are_printed_from_their_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert evaluate("--paper") == 0
    assert "Table 4, external test dataset" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], "name a table of predictions or a bundle"),
        (["a.csv", "--compare", "b.csv", "c.csv"], "name a table of predictions or"),
        (["a.csv", "--manifest", "m.jsonl"], "--manifest goes with a bundle"),
        (["a.csv"], "say where the report is to be written: --out FOLDER"),
        (["nowhere.csv", "--out", "r"], "No such file or directory: 'nowhere.csv'"),
        (["{folder}", "--out", "r"], "is a folder; to evaluate a bundle, name"),
    ],
)
def test_arguments_that_do_not_fit_are_explained(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    found: str,
) -> None:
    status = evaluate(*(word.format(folder=tmp_path) for word in words))

    assert status == 1
    assert found in capsys.readouterr().err


def test_a_wrong_cell_ends_with_file_and_line_and_no_report(
    tmp_path: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    rows[7]["reference"] = "4"
    table = write_table(tmp_path / "p.csv", rows)

    status = evaluate(table, "--out", tmp_path / "report")

    assert status == 1
    assert f"{table}, line 9: `reference` is '4'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [table]


def test_an_occupied_folder_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    status = evaluate("nowhere.csv", "--out", tmp_path)

    assert status == 1
    assert "is there and is no report" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--resamples", "99"], ["--seed", "-1"]])
def test_numbers_out_of_range_are_refused(predictions: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", str(predictions), *words])
