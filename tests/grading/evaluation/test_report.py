"""The report: whole, without network, script or NaN, and honest in its first line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NoReturn

import pytest

from grading.evaluation.case_file import (
    COLUMNS,
    PART_COLUMN,
    PREDICTOR_COLUMNS,
    read_cases,
)
from grading.evaluation.cases import Per, Predictor, Source
from grading.evaluation.evaluate import Sampling, evaluate
from grading.evaluation.metrics import Metric
from grading.evaluation.outcomes import Figure
from grading.evaluation.paper_tables import PaperTable
from grading.evaluation.readers import read_readings
from grading.evaluation.report import reports
from grading.evaluation.report.blocks import (
    Cell,
    Document,
    FlowChart,
    Section,
    Table,
)
from grading.evaluation.report.csv_tables import csv_table, write_csv
from grading.evaluation.report.document import (
    NO_MODEL,
    ORIGIN_UNKNOWN,
    PHANTOM_IMAGES,
    first_line,
)
from grading.evaluation.report.folder import write_folder
from grading.evaluation.report.further import paper_section
from grading.evaluation.report.machine import plain
from grading.evaluation.report.markdown import markdown
from grading.evaluation.report.page import page
from grading.evaluation.report.participants import participants
from grading.evaluation.report.printing import nearest, percent
from grading.evaluation.report.reports import Report, evaluation_report
from grading.evaluation.report.summary import not_new
from grading.grades import FIRST_LINES, Basis, Finding
from tests.grading.evaluation.case_tables import (
    EXTRA_COLUMNS,
    Row,
    paper_rows,
    write_table,
)
from tests.grading.evaluation.test_readers import reading, write_readings

SAMPLING = Sampling(resamples=100, seed=1)
UNDRAWN = pytest.mark.usefixtures("undrawn")


class Seen(HTMLParser):
    """What a browser would meet: tags, what they fetch, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in FETCHING]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += f" {data}"


FETCHING = ("src", "href", "srcset", "data", "action", "poster", "background")


def a_report(folder: Path, rows: list[Row], sampling: Sampling = SAMPLING) -> Report:
    return evaluation_report(write_table(folder / "p.csv", rows), None, sampling)


def one_site(rows: Iterable[Row]) -> list[Row]:
    """Return rows without sites and scanners, so that there is less to draw."""
    return [row | {"site": "", "scanner": ""} for row in rows]


def one_finding(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of one finding at one site, for the same reason."""
    return [row for row in one_site(rows) if row["finding"] == "LNRC"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on the paper's external test set."""
    return a_report(tmp_path_factory.mktemp("paper"), one_site(paper_rows()))


def table_of(report: Report, name: str) -> list[dict[str, str]]:
    _, _, text = report.files[f"tables/{name}.csv"].partition("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def numbers_of(report: Report) -> object:
    return json.loads(report.files["report.json"], parse_constant=no_constant)


def no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} in the report")


def test_the_page_fetches_nothing_and_runs_nothing(whole: Report) -> None:
    seen = Seen(whole.files["report.html"])

    assert seen.open == []
    assert "script" not in seen.tags
    assert seen.fetched
    assert all(
        it.startswith(("data:image/svg+xml;base64,", "#")) for it in seen.fetched
    )
    assert "default-src 'none'" in whole.files["report.html"]


def test_every_picture_says_in_words_what_it_shows(whole: Report) -> None:
    pictures = re.findall(r'<img [^>]*alt="([^"]*)"', whole.files["report.html"])

    assert len(pictures) == 2 + 3 * 6
    assert all(len(words) > 20 for words in pictures)
    assert any("reference 0: 956, " in words for words in pictures)


def test_the_first_line_of_every_form_says_where_predictions_come_from(
    whole: Report,
) -> None:
    _, main, body = whole.files["report.html"].partition("<main>")
    seen = Seen(main + body.partition("</main>")[0] + "</main>")
    assert seen.text.strip().startswith(ORIGIN_UNKNOWN)
    assert whole.files["report.md"].startswith(ORIGIN_UNKNOWN)
    assert whole.text.startswith(ORIGIN_UNKNOWN)
    first, *_ = whole.files["report.json"].splitlines()
    assert first == f'{{ "first_line": {json.dumps(ORIGIN_UNKNOWN)},'
    tables = [text for path, text in whole.files.items() if path.startswith("tables/")]
    assert tables
    for text in tables:
        assert next(csv.reader(io.StringIO(text, newline=""))) == [ORIGIN_UNKNOWN]


def test_a_constant_that_beats_the_model_jumps_to_the_eye(whole: Report) -> None:
    sentence = (
        "to say grade 0 every time, without looking at an image, does better than the "
        "model: accuracy 86.8 % against 79.7 % and AC1 0.86 against 0.77."
    ).replace(" %", PER_CENT)

    html = whole.files["report.html"]

    assert f'<p class="notice worse"><b>▼ LCCS per slice:</b> {sentence}</p>' in html
    plain_blanks = sentence.replace(PER_CENT, " %")
    assert f"> **▼ LCCS per slice:** {plain_blanks}" in whole.files["report.md"]
    assert f"▼ LCCS per slice: {sentence}" in whole.text
    assert '<td class="worse">▼' in html


@pytest.mark.parametrize("table", PaperTable)
def test_the_paper_form_prints_what_the_paper_prints(
    tmp_path: Path, table: PaperTable
) -> None:
    cases = read_cases(write_table(tmp_path / "p.csv", one_site(paper_rows(table))))

    section = paper_section(evaluate(cases, SAMPLING))

    printed = next(block for block in section.blocks if isinstance(block, Table))
    findings = [row for row in printed.rows if "grade" not in row[0].text]
    assert [[cell.text.rstrip(PER_CENT) for cell in row] for row in findings] == (
        PRINTED[table]
    )


PER_CENT = "\N{NO-BREAK SPACE}%"
PRINTED = {
    PaperTable.INTERNAL: [
        ["LDH", "84.1", "84.1", "84.2", "90.7", "92.2", "0.80"],
        # 0.85 in the paper, whose text and interval say 0.86.
        ["LCCS", "87.0", "86.8", "87.0", "65.2", "94.5", "0.86"],
        ["LNRC", "79.7", "80.0", "81.2", "79.2", "92.9", "0.78"],
    ],
    PaperTable.EXTERNAL: [
        ["LDH", "75.8", "74.1", "74.2", "86.9", "88.0", "0.67"],
        ["LCCS", "88.6", "83.3", "79.7", "94.6", "86.5", "0.77"],
        ["LNRC", "74.1", "73.4", "74.2", "68.8", "87.6", "0.69"],
    ],
}
"""Tables 3 and 4 of Su et al. 2022: the rows of the findings."""


def test_the_same_table_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    rows = one_finding(paper_rows(keep=0.05))

    first, second = (a_report(tmp_path, rows) for _ in range(2))

    assert first == second


@UNDRAWN
def test_sites_and_scanners_have_rows_of_their_own(tmp_path: Path) -> None:
    rows = [row for row in paper_rows(keep=0.1) if row["finding"] == "LCCS"]

    report = a_report(tmp_path, rows)

    sites = [row["site"] for row in table_of(report, "sites-per-slice")]
    scanners = {row["scanner"] for row in table_of(report, "scanners-per-level")}

    assert sites[::3] == ["all, LDH", "north, LDH", "south, LDH"]
    assert {"Verio 3 T, LCCS", "Aera 1.5 T, LCCS"} < scanners


def test_another_seed_gives_other_intervals_of_the_same_figures(
    tmp_path: Path,
) -> None:
    cases = read_cases(write_table(tmp_path / "p.csv", paper_rows(keep=0.1)))

    first, second = (
        evaluate(cases, Sampling(100, seed)).whole(Per.SLICE).scores[Finding.LDH]
        for seed in (1, 2)
    )

    accuracies = [it.figures[Metric.ACCURACY] for it in (first, second)]
    assert accuracies[0].value == accuracies[1].value
    assert accuracies[0].low != accuracies[1].low


def degenerate(name: str) -> list[Row]:
    rows = one_finding(paper_rows(keep=0.05))
    match name:
        case "one finding":
            return rows
        case "one grade":
            return [row | {"reference": "0"} for row in rows]
        case "one patient":
            return [row for row in rows if row["patient"] == rows[0]["patient"]]
        case "one row":
            return rows[:1]
        case "no reference":
            return [row | {"reference": ""} for row in rows]
        case "no prediction":
            return [row | dict.fromkeys(("p0", "p1", "p2", "p3"), "") for row in rows]
        case "everybody excluded":
            return [row | {"excluded": "surgery"} for row in rows]
        case "no level":
            return [row | {"level": ""} for row in rows]
        case _:
            gone = {"series": "", "sop_instance": "", "frame": ""}
            keys = ("study", "level", "finding")
            levels = {tuple(row[key] for key in keys): row | gone for row in rows}
            return list(levels.values())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("one finding", "No slice can be compared for LDH"),
        ("one grade", "the reference has only grades 0-1 or only grades 2-3"),
        ("one patient", "only one patient"),
        ("one row", "only one patient"),
        ("no reference", "nothing could be compared"),
        ("no prediction", "nothing could be compared"),
        ("everybody excluded", "nothing could be compared"),
        ("no level", "the slice's level is not given"),
        ("levels only", "No slice can be compared"),
    ],
)
def test_what_is_not_defined_says_why_and_is_never_a_nan(
    tmp_path: Path, name: str, reason: str
) -> None:
    report = a_report(tmp_path, degenerate(name))

    assert numbers_of(report)
    assert reason in Seen(report.files["report.html"]).text
    assert not re.search(r"not defined(?! \(|,| because)", report.files["report.md"])
    # One line of a terminal; a reason would make it three of them.
    tables = report.text.partition("Model and constant")[2].splitlines()[1:]
    assert max(map(len, tables), default=0) < 140
    for path, text in report.files.items():
        words = Seen(text).text if path.endswith("html") else text
        assert not re.search(r"\b([Nn]a[Nn]|inf|None)\b", words), path


@UNDRAWN
def test_a_report_on_readers_alone_says_that_no_model_is_evaluated(
    tmp_path: Path,
) -> None:
    rows = [reading(i, f"{i % 4}", f"{i % 3}") for i in range(40)]
    readings = read_readings(write_readings(tmp_path / "r.csv", *rows))

    report = reports.readers_report(readings, SAMPLING)

    assert report.text.startswith(NO_MODEL)
    assert numbers_of(report)
    assert json.loads(report.files["report.json"])["first_line"] == NO_MODEL
    disagreements = csv.DictReader(io.StringIO(report.files["disagreements.csv"]))
    assert [row["line"] for row in disagreements] == [
        f"{i + 2}" for i in range(40) if i % 4 != i % 3
    ]


@UNDRAWN
def test_a_comparison_says_which_is_better_or_that_nobody_knows(
    tmp_path: Path,
) -> None:
    table = write_table(tmp_path / "p.csv", one_site(paper_rows(keep=0.05)))

    report = reports.comparison_report(table, table, None, SAMPLING)

    assert numbers_of(report)
    assert (
        "≈ LDH per slice: by accuracy, macro F1, AC2 and AUC: these patients do not "
        "tell which is better."
    ) in report.text
    assert Seen(report.files["report.html"]).open == []


@pytest.mark.parametrize(
    ("bases", "unnamed", "expected"),
    [
        ([], True, ORIGIN_UNKNOWN),
        ([], False, ORIGIN_UNKNOWN),
        ([Basis.SITE], False, FIRST_LINES[Basis.SITE]),
        ([Basis.SITE], True, ORIGIN_UNKNOWN),
        ([Basis.SITE, Basis.UNEVALUATED], True, FIRST_LINES[Basis.UNEVALUATED]),
        ([Basis.UNEVALUATED, Basis.PHANTOM], False, FIRST_LINES[Basis.PHANTOM]),
    ],
)
def test_of_several_origins_the_weakest_is_said(
    bases: list[Basis], *, unnamed: bool, expected: str
) -> None:
    predictors = tuple(Predictor(f"{basis}", "ab" * 32, basis) for basis in bases)

    source = Source(Path("p.csv"), "", "", (), predictors, unnamed)

    assert first_line(source) == expected
    assert first_line(replace(source, phantom=True)) == f"{expected} {PHANTOM_IMAGES}"


@UNDRAWN
def test_a_phantom_bundles_word_stands_first(tmp_path: Path) -> None:
    named = dict(zip(PREDICTOR_COLUMNS, ("b 1", "ab" * 32, "phantom", ""), strict=True))
    rows = [row | named for row in one_finding(paper_rows(keep=0.05))]
    columns = (*COLUMNS, *PREDICTOR_COLUMNS)
    kept = [{name: row[name] for name in columns} for row in rows]
    path = write_table(tmp_path / "p.csv", kept, columns=columns)

    report = evaluation_report(path, None, SAMPLING)

    assert report.text.startswith(FIRST_LINES[Basis.PHANTOM])
    assert "Evaluation of b 1" in report.files["report.html"]


@UNDRAWN
def test_figures_of_images_that_bundles_learn_from_are_called_too_good(
    tmp_path: Path,
) -> None:
    rows = [row | {"part": "train"} for row in one_finding(paper_rows(keep=0.05))]
    columns = (*COLUMNS, *EXTRA_COLUMNS, PART_COLUMN)
    path = write_table(tmp_path / "p.csv", rows, columns=columns)

    alone = evaluation_report(path, None, SAMPLING)
    compared = reports.comparison_report(path, path, None, SAMPLING)

    assert "of the manifest's part 'train'." in Seen(alone.files["report.html"]).text
    for report in (alone, compared):
        assert "▼ Part 'train': bundles learn from these images" in report.text


def test_only_the_test_part_needs_no_warning() -> None:
    source = Source(Path("p.csv"), "", "", parts=("test", "validation", "train"))

    leads = [notice.lead for notice in not_new(source, source)]

    assert leads == ["Part 'validation'", "Part 'train'"]


@UNDRAWN
def test_every_row_that_is_left_out_has_its_line_and_reason(tmp_path: Path) -> None:
    slices = one_finding(paper_rows(keep=0.05))[:3]
    place = {"series": "", "sop_instance": "", "frame": "", "level": "L5/S1"}
    level = slices[0] | place | {"study": "1.2.9", "patient": "P9"}
    rows = [
        slices[0] | {"reference": ""},
        slices[1] | {"excluded": "surgery"},
        slices[2],
        level,
        level | {"level": "L4/L5"} | dict.fromkeys(("p0", "p1", "p2", "p3"), ""),
    ]

    report = a_report(tmp_path, rows)

    table = csv.DictReader(io.StringIO(report.files["rows-left-out.csv"], newline=""))
    assert {row["line"]: row["reason"] for row in table} == {
        "2": "no reference grade",
        "3": "excluded: surgery",
        "6": "no prediction",
    }


def test_the_flow_tells_slices_that_are_excluded_for_one_finding_only(
    tmp_path: Path,
) -> None:
    rows = one_site(paper_rows(keep=0.05))
    rows[0]["excluded"] = "motion"
    for row in rows[3:6]:
        row["excluded"] = "fracture"
    cases = read_cases(write_table(tmp_path / "p.csv", rows))

    section = participants(evaluate(cases, SAMPLING))

    [chart] = [block for block in section.blocks if isinstance(block, FlowChart)]
    [aside] = chart.steps[0].aside
    lines = {end.title: end.lines for end in chart.ends}
    assert aside.startswith("fracture: 0 patients, 1 slice, ")
    assert "1 slice excluded: motion" in lines[f"{rows[0]['finding']} compared"]
    assert str(lines).count("motion") == 1


def test_texts_from_a_table_stay_texts() -> None:
    nasty = "<script>alert(1)</script> | *x*"
    table = Table("t", nasty, ("a", nasty), ((Cell(nasty), Cell("1")),))
    document = Document(nasty, nasty, (Section(nasty, (table,)),))

    seen = Seen(page(document))

    assert "script" not in seen.tags
    assert seen.text.count(nasty) == 8
    row = markdown(document).splitlines()[-1]
    assert re.findall(r"(?<!\\)[|<>*]", row) == ["|", "|", "|"]


def test_a_cell_that_a_spreadsheet_would_run_is_quoted() -> None:
    text = write_csv(("a", "b", "c"), [("=1+1", "-0.5", "@x")])

    assert text == "a,b,c\r\n'=1+1,-0.5,'@x\r\n"


def test_a_csv_table_holds_what_the_page_rounds() -> None:
    figure = Figure(1 / 3, 0.25, 0.5)
    undefined = Figure(None, undefined="there is no case")
    rows = (
        (Cell("x", "3 cases"), Cell("33.3 %", figure=figure)),
        (Cell("y"), Cell("not defined", figure=undefined)),
    )

    text = csv_table(Table("t", "", ("name", "share"), rows), "Of a phantom, too.")

    assert text.splitlines() == [
        '"Of a phantom, too."',
        "name,name further,share,share low,share high,share not defined because",
        "x,3 cases,0.333333,0.25,0.5,",
        "y,,,,,there is no case",
    ]


def test_halves_are_rounded_to_the_even_digit_as_the_paper_does() -> None:
    assert percent(0.1125) == "11.2\N{NO-BREAK SPACE}%"
    assert percent(0.1135) == "11.4\N{NO-BREAK SPACE}%"
    assert nearest(0.125, 2) == "0.12"
    assert nearest(2 / 3, 3) == "0.667"
    assert nearest(-0.004, 2) == "0.00"


def test_json_knows_no_infinity_and_no_folder() -> None:
    assert plain([float("inf"), Path("somewhere/p.csv")]) == [None, "p.csv"]
    with pytest.raises(TypeError, match="cannot hold object"):
        plain(object())


def test_an_earlier_report_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write_folder(out, {"report.html": "old", "old.csv": "old"})

    write_folder(out, {"report.html": "new", "tables/new.csv": "new"})

    assert sorted(it.name for it in out.iterdir()) == ["report.html", "tables"]
    assert (out / "report.html").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_is_no_report_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work")

    with pytest.raises(FileExistsError, match="is there and is no report"):
        write_folder(out, {"report.html": "new"})

    assert [it.name for it in out.iterdir()] == ["chapter.txt"]


def test_the_current_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileExistsError, match="is the current folder"):
        write_folder(Path(), {"report.html": "new"})


def test_half_a_report_is_never_left(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write_folder(out, {"report.html": "old"})

    with pytest.raises(UnicodeEncodeError):
        write_folder(out, {"report.html": "new", "tables/bad.csv": "\ud800"})

    assert (out / "report.html").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_an_earlier_report_survives_a_disk_that_fails_at_the_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report"
    write_folder(out, {"report.html": "old"})
    rename = Path.rename

    def fails_for_the_new_one(self: Path, target: Path) -> Path:
        if self.name == "fresh":
            raise OSError("no space left")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(OSError, match="no space left"):
        write_folder(out, {"report.html": "new"})

    assert (out / "report.html").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]
