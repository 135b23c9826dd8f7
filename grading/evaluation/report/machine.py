"""A report for programs: JSON in which no figure is a NaN.

Objects have the names that the classes of `grading.evaluation` give their fields. A
number that is not finite, such as the first threshold of a ROC curve, is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from grading.evaluation.evaluate import Evaluation, Sampling
from grading.evaluation.pairing import SideBySide
from grading.evaluation.reader_study import ReaderStudy
from grading.evaluation.report.document import NO_MODEL, first_line

FORMAT_VERSION = 1


def evaluation_json(evaluation: Evaluation, study: ReaderStudy | None) -> str:
    """Return everything about an evaluation but its single cases."""
    return _text(
        first_line=first_line(evaluation.cases.source),
        source=evaluation.cases.source,
        sampling=evaluation.sampling,
        flow=evaluation.flow,
        demographics=evaluation.demographics,
        groups=evaluation.groups,
        readers=_readers(study) if study else None,
    )


def comparison_json(result: SideBySide) -> str:
    """Return everything about two tables beside each other but their single cases."""
    pair = result.pair
    return _text(
        first_lines=[first_line(it.source) for it in (pair.first, pair.second)],
        sources=[pair.first.source, pair.second.source],
        rows_left_out=[pair.only_first, pair.only_second],
        sampling=result.sampling,
        comparisons=result.comparisons,
    )


def readers_json(study: ReaderStudy, sampling: Sampling) -> str:
    """Return everything about readers but their single cases."""
    return _text(first_line=NO_MODEL, sampling=sampling, readers=_readers(study))


def plain(value: object) -> Any:
    """Return a value as JSON's own kinds of it; of a path only the name travels.

    Raises
    ------
    TypeError
        JSON has no such kind.
    """
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Path():
            return value.name
        case np.ndarray():
            return plain(value.tolist())
        case Mapping():
            return {str(plain(key)): plain(it) for key, it in value.items()}
        case list() | tuple():
            return [plain(it) for it in value]
    if is_dataclass(value):
        return {it.name: plain(getattr(value, it.name)) for it in fields(value)}
    raise TypeError(f"a report cannot hold {type(value).__name__}")


def _readers(study: ReaderStudy) -> dict[str, object]:
    return {
        "path": study.readings.path,
        "sha256": study.readings.sha256,
        "cases": len(study.readings.by_key),
        "disagreements": len(study.disagreements),
        "unresolved": study.unresolved,
        "excluded": study.excluded,
        "panels": study.panels,
    }


def _text(**content: object) -> str:
    """Return the document; what the grades rest on, given first, is its first line."""
    (key, line), *others = content.items()
    whole = plain({key: line, "format_version": FORMAT_VERSION, **dict(others)})
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    return text.replace("{\n", "{", 1) + "\n"
