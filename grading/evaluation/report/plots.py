"""The figures of a report, by matplotlib, as SVG that is the same on every machine.

Letters are drawn as outlines, so no font of the reader's matters. Colours are those
of Okabe and Ito, made for colour-blind readers; no line is told by colour alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from grading.evaluation.outcomes import Figure
from grading.evaluation.scores import ReferralPoint, ReliabilityBin, RocCurve
from grading.grades import Finding, Grade

styled = mpl.rc_context(
    {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.fonttype": "path",
        # Otherwise matplotlib names its parts at random.
        "svg.hashsalt": "lumbar-node",
    }
)
"""As a decorator it holds for one call, so that nobody else's figures change."""
INK = "#1c2430"
FAINT = "#8a94a3"
RULE = "#d5dbe3"
COLOURS: Mapping[Finding, str] = {
    Finding.LDH: "#0072b2",
    Finding.LCCS: "#d55e00",
    Finding.LNRC: "#009e73",
}
LINES: Mapping[Finding, str] = {
    Finding.LDH: "-",
    Finding.LCCS: "--",
    Finding.LNRC: "-.",
}
GRADE_TICKS = [int(grade) for grade in Grade]
DARK_SHARE = 0.68
"""From here on white has more contrast to its cell than ink, by WCAG's measure."""


@styled
def confusion_matrix(confusion: NDArray[np.int64], title: str) -> str:
    """Draw (4, 4) counts with their share of the row, like Figures 6 and 7."""
    canvas, axes = _blank(3.6, 3.7)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = confusion / np.maximum(totals, 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row in GRADE_TICKS:
        for column in GRADE_TICKS:
            text = f"{confusion[row, column]}"
            if totals[row, 0]:
                text += f"\n{100 * shares[row, column]:.1f} %"
            dark = shares[row, column] > DARK_SHARE
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=9,
                color="white" if dark else INK,
            )
    axes.set_xticks(GRADE_TICKS)
    axes.set_yticks(GRADE_TICKS)
    # Lines between the cells: pale ones would run into each other.
    between = [tick + 0.5 for tick in GRADE_TICKS[:-1]]
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color=RULE, linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel="predicted grade", ylabel="reference grade", title=title)
    axes.spines[:].set_visible(False)
    return _svg(canvas)


@styled
def roc_curves(curves: Mapping[Finding, tuple[RocCurve, str]]) -> str:
    """Draw the curves of some findings, each with its words, like Figure 8."""
    canvas, axes = _blank(4.6, 4.4)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
    for finding, (curve, words) in curves.items():
        axes.plot(
            curve.false_positive_rate,
            curve.true_positive_rate,
            color=COLOURS[finding],
            linestyle=LINES[finding],
            linewidth=1.8,
            label=words,
        )
    axes.set(
        xlabel="false positive rate (grade 0-1 called 2-3)",
        ylabel="true positive rate (grade 2-3 found)",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return _svg(canvas)


@styled
def reliability_diagram(bins: Sequence[ReliabilityBin], finding: Finding) -> str:
    """Draw accuracy against confidence; how many cases each point has, below."""
    canvas = Canvas(figsize=(4.2, 4.4), layout="constrained")
    upper, lower = canvas.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]}
    )
    filled = [it for it in bins if it.cases and it.confidence is not None]
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
    values = [it.accuracy.value or 0.0 for it in filled]
    upper.plot(
        [it.confidence or 0.0 for it in filled],
        values,
        color=COLOURS[finding],
        marker="o",
        linewidth=1.2,
    )
    for it in filled:
        if it.accuracy.low is not None and it.accuracy.high is not None:
            upper.vlines(
                it.confidence or 0.0,
                it.accuracy.low,
                it.accuracy.high,
                color=COLOURS[finding],
            )
    upper.set(ylabel="share that is right", ylim=(-0.02, 1.02))
    width = bins[0].high - bins[0].low if bins else 0.1
    lower.bar(
        [(it.low + it.high) / 2 for it in bins],
        [it.cases for it in bins],
        width=0.9 * width,
        color=FAINT,
    )
    lower.set(xlabel="probability of the predicted grade", ylabel="cases", xlim=(0, 1))
    lower.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    return _svg(canvas)


@styled
def referral_curve(points: Sequence[ReferralPoint], finding: Finding) -> str:
    """Draw the accuracy of what the model keeps against the share it refers."""
    canvas, axes = _blank(4.2, 4.4)
    kept = [it for it in points if it.accuracy.value is not None]
    shares = [it.share_referred for it in kept]
    bounded = [it for it in kept if it.accuracy.low is not None]
    axes.fill_between(
        [it.share_referred for it in bounded],
        [it.accuracy.low or 0.0 for it in bounded],
        [it.accuracy.high or 0.0 for it in bounded],
        color=COLOURS[finding],
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(
        shares,
        [it.accuracy.value or 0.0 for it in kept],
        color=COLOURS[finding],
        linewidth=1.8,
    )
    axes.set(
        xlabel="share referred to a person",
        ylabel="accuracy of the rest",
        xlim=(0, 1),
    )
    # Room for the line, but none that reads as more than everything right.
    axes.set_ylim(top=min(axes.get_ylim()[1], 1.005))
    return _svg(canvas)


@styled
def forest(rows: Sequence[tuple[str, Figure]], measure: str) -> str:
    """Draw figures that have a value below each other, with their intervals."""
    canvas, axes = _blank(6.4, 0.7 + 0.3 * len(rows))
    for place, (_, figure) in enumerate(rows):
        if figure.low is not None and figure.high is not None:
            axes.hlines(place, figure.low, figure.high, color=INK, linewidth=1.5)
        axes.plot([figure.value or 0.0], [place], color=INK, marker="s", markersize=5)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    if any((it.low or 0.0) < 0.0 < (it.high or 0.0) for _, it in rows):
        axes.axvline(0.0, color=INK, linewidth=0.8, linestyle=":")
    axes.grid(axis="x", color=FAINT, alpha=0.4, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel=measure)
    return _svg(canvas)


def _blank(width_inches: float, height_inches: float) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(width_inches, height_inches), layout="constrained")
    return canvas, canvas.subplots()


def _svg(canvas: Canvas) -> str:
    text = io.StringIO()
    FigureCanvasSVG(canvas)
    canvas.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
