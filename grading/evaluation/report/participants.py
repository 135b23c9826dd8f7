"""What was compared: the flow of patients, who they are, how often grades occur."""

from __future__ import annotations

from collections.abc import Iterator

from grading.evaluation.cases import Per, Source
from grading.evaluation.demographics import Demographics
from grading.evaluation.evaluate import Evaluation
from grading.evaluation.flow import Count, Flow, LeftOut
from grading.evaluation.report.blocks import (
    Cell,
    FlowChart,
    Leaf,
    Paragraph,
    Section,
    Step,
    Table,
)
from grading.evaluation.report.printing import count_cell, counted
from grading.grades import Finding, Grade


def participants(evaluation: Evaluation) -> Section:
    """Return flow chart, demographics and the distribution of grades."""
    blocks: list[Leaf] = [Paragraph(line) for line in _sources(evaluation.cases.source)]
    blocks.append(_flow_chart(evaluation.flow))
    if any(it.aged or it.patients > it.sex_unknown for it in evaluation.demographics):
        blocks.append(_demographics(evaluation.demographics))
    blocks += [
        _distribution(evaluation, per)
        for per in Per
        if any(scores.cases for scores in evaluation.whole(per).scores.values())
    ]
    return Section("What was compared", tuple(blocks))


def left_out_table(left_out: tuple[LeftOut, ...]) -> Table:
    """Return why slices and levels are not compared."""
    return Table(
        name="left-out",
        title="Slices and levels that are not compared",
        columns=("finding", "reason", "count", "patients"),
        rows=tuple(
            (
                Cell(it.finding),
                Cell(it.reason),
                Cell(counted(it.units, it.per.value)),
                Cell(f"{it.patients}"),
            )
            for it in left_out
        ),
        note="rows-left-out.csv names each row with its line.",
        words=frozenset({1}),
    )


def _sources(source: Source) -> Iterator[str]:
    yield (
        f"Table {source.path.name}, read as {source.encoding}, SHA-256 {source.sha256}."
    )
    for it in source.predictors:
        yield f"Predictions by bundle {it.name}, weights SHA-256 {it.sha256}."
    if len(source.predictors) > 1 or (source.predictors and source.unnamed):
        yield "The predictions come from more than one source: the figures mix them."
    if source.parts:
        named = " and ".join(f"'{part}'" for part in source.parts)
        yield f"Images of the manifest's part {named}."
    if source.unused:
        yield f"Columns that were not looked at: {', '.join(source.unused)}."


def _flow_chart(flow: Flow) -> FlowChart:
    excluded = tuple(
        f"{reason}: {_counts(count)}"
        for reason, count in flow.excluded.items()
        # Of some the table excludes single findings only: see `_incomplete`.
        if any((count.patients, count.slices, count.levels))
    )
    steps = [Step("In the table", (_counts(flow.read),), excluded)]
    if excluded:
        steps.append(Step("Included", (_counts(flow.included),)))
    ends = tuple(
        Step(f"{finding} compared", (*_lines(count), *_incomplete(flow, finding)))
        for finding, count in flow.compared.items()
    )
    return FlowChart(tuple(steps), ends)


def _incomplete(flow: Flow, finding: Finding) -> list[str]:
    """Return why slices of a finding are not compared although they are included."""
    return [
        f"{counted(remaining, it.per.value)}{' ' if it.excluded else ': '}{it.reason}"
        for it in flow.left_out
        if it.finding is finding and it.per is Per.SLICE
        if (remaining := it.units - _gone(flow, it))
    ]


def _gone(flow: Flow, left_out: LeftOut) -> int:
    """Return how many of them left the flow before, with all their findings."""
    if left_out.excluded is None:
        return 0
    return min(left_out.units, flow.excluded[left_out.excluded].slices)


def _counts(count: Count) -> str:
    return ", ".join(_lines(count))


def _lines(count: Count) -> tuple[str, ...]:
    return (
        counted(count.patients, "patient"),
        counted(count.slices, "slice"),
        counted(count.levels, "disc level"),
    )


def _demographics(groups: tuple[Demographics, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (Cell("age in years"), *(_age(it) for it in groups)),
        (Cell("women"), *(count_cell(it.women, it.patients) for it in groups)),
        (Cell("men"), *(count_cell(it.men, it.patients) for it in groups)),
    ]
    if any(it.other for it in groups):
        others = (count_cell(it.other, it.patients) for it in groups)
        rows.append((Cell("other"), *others))
    if any(it.sex_unknown for it in groups):
        unknown = (count_cell(it.sex_unknown, it.patients) for it in groups)
        rows.append((Cell("sex not given"), *unknown))
    return Table(
        name="demographics",
        title="Patients that are included",
        columns=("", *(f"{it.name} ({it.patients})" for it in groups)),
        rows=tuple(rows),
        note="Age: mean ± standard deviation (range), at the first study in the table.",
    )


def _age(group: Demographics) -> Cell:
    if group.mean_years is None:
        return Cell("not given")
    deviation = group.deviation_years
    spread = f" ± {deviation:.0f}" if deviation is not None else ""
    ages = f"({group.youngest_years:g}-{group.oldest_years:g})"
    missing = group.patients - group.aged
    detail = f"not given for {counted(missing, 'patient')}" if missing else ""
    return Cell(f"{group.mean_years:.0f}{spread} {ages}", detail)


def _distribution(evaluation: Evaluation, per: Per) -> Table:
    columns = [""]
    cells: list[list[Cell]] = [[] for _ in Grade]
    totals: list[Cell] = []
    for finding, scores in evaluation.whole(per).scores.items():
        columns += [f"{finding} reference", f"{finding} predicted"]
        for row, one in zip(cells, scores.grades, strict=True):
            row.append(count_cell(one.support, scores.cases))
            row.append(count_cell(one.predicted, scores.cases))
        totals += [Cell(f"{scores.cases}")] * 2
    rows = [
        (Cell(f"grade {grade}"), *row) for grade, row in zip(Grade, cells, strict=True)
    ]
    return Table(
        name=f"distribution-per-{per}",
        title=f"How often each grade occurs, per {per}",
        columns=tuple(columns),
        rows=(*rows, (Cell("all"), *totals)),
    )
