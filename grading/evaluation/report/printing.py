"""How figures are printed: one rule for all pages and tables.

A share is printed in per cent with one decimal and a coefficient with two, as Su et
al. 2022 print theirs; calibration has three. All are rounded to the nearest, by the
same rule as `grading.evaluation.paper`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial

from grading.evaluation.comparison import LESS_IS_BETTER, NEITHER_IS_BETTER
from grading.evaluation.metrics import Metric
from grading.evaluation.outcomes import Figure
from grading.evaluation.paper import RESIDUE_DIGITS
from grading.evaluation.report.blocks import SYMBOLS, Cell, Mark

THREE_DECIMALS = frozenset({Metric.BRIER, Metric.ECE})
TWO_DECIMALS = frozenset({Metric.AUC, Metric.AC1, Metric.AC2, Metric.KAPPA})
NOT_DEFINED = "not defined"
BLANK = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"

Printer = Callable[[float], str]


def percent(share: float) -> str:
    """Return ``84.2 %``; the blank does not break."""
    return f"{nearest(share, 1, 100)}{BLANK}%"


def nearest(value: float, decimals: int, unit: int = 1) -> str:
    """Return a number of units with so many decimals, an exact half to the even."""
    exact = Decimal(f"{value:.{RESIDUE_DIGITS}f}") * unit
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    # What rounds to nothing has no direction.
    return str(rounded or abs(rounded))


def printer(metric: Metric) -> Printer:
    """Return how a metric's values are printed."""
    if metric in THREE_DECIMALS:
        return partial(nearest, decimals=3)
    return partial(nearest, decimals=2) if metric in TWO_DECIMALS else percent


def signed(printed: Printer) -> Printer:
    """Return the same for differences, of which rises bear their sign too."""

    def print_difference(difference: float) -> str:
        text = printed(abs(difference)).removesuffix(f"{BLANK}%")
        # What rounds to nothing has no direction.
        if not text.strip("0."):
            return text
        return f"{'+' if difference > 0.0 else MINUS}{text}"

    return print_difference


def figure_cell(figure: Figure, printed: Printer = percent) -> Cell:
    """Print a figure with its interval, or with why there is none."""
    if figure.value is None:
        return Cell(NOT_DEFINED, figure.undefined or "", figure=figure)
    text = printed(figure.value).replace("-", MINUS)
    return Cell(text, _interval(figure, printed), figure=figure)


def metric_cell(metric: Metric, figure: Figure) -> Cell:
    """Print a metric's figure."""
    return figure_cell(figure, printer(metric))


def difference_cell(metric: Metric, difference: Figure, mark: Mark | None) -> Cell:
    """Print a difference with its mark."""
    cell = figure_cell(difference, signed(printer(metric)))
    if mark is None:
        return cell
    text = f"{SYMBOLS[mark]}{BLANK}{cell.text}"
    return Cell(text, cell.detail, mark, difference)


def improvement(metric: Metric, difference: Figure) -> Mark | None:
    """Tell whether the second of two is better, as far as the interval tells."""
    if difference.value is None or metric in NEITHER_IS_BETTER:
        return None
    if difference.low is None or difference.high is None:
        return Mark.UNSURE
    if difference.low <= 0.0 <= difference.high:
        return Mark.UNSURE
    rises = difference.low > 0.0
    return Mark.WORSE if rises is (metric in LESS_IS_BETTER) else Mark.BETTER


def gain(advantage: Figure) -> Mark | None:
    """Tell whether a model gains anything over a constant grade.

    A model that does worse is marked whatever its interval: on its own word it has
    nothing to show.
    """
    if advantage.value is None:
        return None
    if advantage.value < 0.0:
        return Mark.WORSE
    return Mark.BETTER if (advantage.low or 0.0) > 0.0 else Mark.UNSURE


def count_cell(count: int, total: int) -> Cell:
    """Print a count with its share."""
    return Cell(f"{count}", percent(count / total) if total else "")


def constant_cell(metric: Metric, figure: Figure) -> Cell:
    """Print a constant predictor's figure.

    Many of them are the same in every resample, which needs no explanation.
    """
    cell = metric_cell(metric, figure)
    bare = figure.value is not None and figure.low is None
    return replace(cell, detail="") if bare else cell


def counted(count: int, noun: str) -> str:
    """Return ``1 slice``, ``2,299 slices``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    *first, last = (str(word) for word in words)
    return f"{', '.join(first)} and {last}" if first else last


def _interval(figure: Figure, printed: Printer) -> str:
    if figure.low is None or figure.high is None:
        return f"no interval: {figure.undefined}" if figure.undefined else ""
    low, high = (
        printed(end).removesuffix(f"{BLANK}%") for end in (figure.low, figure.high)
    )
    return f"{low} to {high}".replace("-", MINUS)
