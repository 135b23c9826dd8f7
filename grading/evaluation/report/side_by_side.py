"""Two bundles beside each other: what differs, and what that supports."""

from __future__ import annotations

from grading.evaluation.cases import Per, Source
from grading.evaluation.comparison import SENTENCED, Comparison
from grading.evaluation.metrics import Metric
from grading.evaluation.outcomes import Figure
from grading.evaluation.pairing import NAMES, SideBySide
from grading.evaluation.report.blocks import (
    Cell,
    Document,
    Leaf,
    Mark,
    Notice,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
)
from grading.evaluation.report.document import first_line
from grading.evaluation.report.further import glossary
from grading.evaluation.report.plots import forest
from grading.evaluation.report.printing import (
    counted,
    difference_cell,
    improvement,
    listed,
    metric_cell,
)
from grading.evaluation.report.summary import not_new

VERDICTS = {
    Mark.BETTER: f"{NAMES[1]} is better on patients like these",
    Mark.WORSE: f"{NAMES[0]} is better on patients like these",
    Mark.UNSURE: "these patients do not tell which is better",
}


def side_by_side_document(result: SideBySide) -> Document:
    """Return the whole report on two tables of predictions."""
    sources = result.pair.first.source, result.pair.second.source
    compared = {
        per: [one for one in by_finding.values() if one.first.cases]
        for per, by_finding in result.comparisons.items()
    }
    return Document(
        title=f"{_name(sources[0])} and {_name(sources[1])} compared",
        first_line=_first_line(*sources),
        sections=(
            _in_short(result, compared),
            *(
                _figures(per, comparisons)
                for per, comparisons in compared.items()
                if comparisons
            ),
            glossary(),
        ),
    )


def _first_line(first: Source, second: Source) -> str:
    lines = first_line(first), first_line(second)
    if lines[0] == lines[1]:
        return lines[0]
    return f"{NAMES[0]}: {lines[0]} {NAMES[1]}: {lines[1]}"


def _name(source: Source) -> str:
    return source.predictors[0].name if source.predictors else source.path.name


def _in_short(result: SideBySide, compared: dict[Per, list[Comparison]]) -> Section:
    pair = result.pair
    blocks: list[Leaf] = list(not_new(pair.first.source, pair.second.source))
    blocks += [
        Paragraph(
            f"{name} is {source.path.name} (SHA-256 {source.sha256})"
            + "".join(f", bundle {it.name}, {it.sha256}" for it in source.predictors)
            + f". {counted(left_out, 'row')} of it cannot be compared with the other."
        )
        for name, source, left_out in (
            (NAMES[0], pair.first.source, pair.only_first),
            (NAMES[1], pair.second.source, pair.only_second),
        )
    ]
    blocks += [_supported(one, per) for per, some in compared.items() for one in some]
    if not any(compared.values()):
        nothing = "the two tables share no row with a reference and two predictions."
        blocks.append(Notice(Mark.WORSE, "No figure", nothing))
    return Section("In short", tuple(blocks))


def _supported(comparison: Comparison, per: Per) -> Notice:
    """Say which of the two is better, by which metric, as far as intervals tell."""
    by_mark: dict[Mark, list[Metric]] = {}
    for metric in SENTENCED:
        mark = improvement(metric, comparison.differences[metric]) or Mark.UNSURE
        by_mark.setdefault(mark, []).append(metric)
    parts = [
        f"by {listed(by_mark[mark])}: {words}"
        for mark, words in VERDICTS.items()
        if mark in by_mark
    ]
    told = by_mark.keys() - {Mark.UNSURE}
    mark = told.pop() if len(told) == 1 else Mark.UNSURE
    return Notice(mark, f"{comparison.finding} per {per}", f"{'; '.join(parts)}.")


def _figures(per: Per, comparisons: list[Comparison]) -> Section:
    blocks: list[Leaf] = [_picture(per, comparisons)]
    blocks += [_table(per, comparison) for comparison in comparisons]
    return Section(f"Figures per {per}", tuple(blocks))


def _picture(per: Per, comparisons: list[Comparison]) -> Pictures:
    rows: list[tuple[str, Figure]] = [
        (f"{one.finding}: {metric}", one.differences[metric])
        for one in comparisons
        for metric in SENTENCED
        if one.differences[metric].value is not None
    ]
    words = "; ".join(f"{name} {figure.value:+.3f}" for name, figure in rows)
    measure = f"{NAMES[1]} less {NAMES[0]}"
    caption = f"Differences per {per}, with their 95 % interval over patients."
    return Pictures((Picture(forest(rows, measure), words, caption),))


def _table(per: Per, comparison: Comparison) -> Table:
    first, second = comparison.first, comparison.second
    rows = []
    for metric in Metric:
        difference = comparison.differences[metric]
        rows.append(
            (
                Cell(metric),
                metric_cell(metric, first.figures[metric]),
                metric_cell(metric, second.figures[metric]),
                difference_cell(metric, difference, improvement(metric, difference)),
            )
        )
    return Table(
        name=f"compared-{comparison.finding.value.lower()}-per-{per}",
        title=f"{comparison.finding} per {per}: {counted(first.cases, 'case')}",
        columns=("figure", *NAMES, f"{NAMES[1]} less {NAMES[0]}"),
        rows=tuple(rows),
        note=(
            f"▲ {NAMES[1]} is better, ▼ worse, ≈ the difference may be chance. "
            "Differences of shares are in percentage points."
        ),
    )
