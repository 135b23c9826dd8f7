"""A report on disk: whole, or not there."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from grading.evaluation.report.blocks import Document
from grading.evaluation.report.csv_tables import csv_table
from grading.evaluation.report.markdown import markdown
from grading.evaluation.report.page import page

PAGE_NAME = "report.html"
MARKDOWN_NAME = "report.md"
JSON_NAME = "report.json"
TABLES = "tables"


def report_files(document: Document, machine: str) -> dict[str, str]:
    """Return every file of a report, by its path inside the folder."""
    files = {
        PAGE_NAME: page(document),
        MARKDOWN_NAME: markdown(document),
        JSON_NAME: machine,
    }
    for table in document.tables:
        files[f"{TABLES}/{table.name}.csv"] = csv_table(table, document.first_line)
    return files


def check_folder(out: Path) -> None:
    """Check that a report may be written there, before the work of making one.

    Raises
    ------
    FileExistsError
        There is something of that name that is no report, or somebody stands in it.
    """
    if out.resolve() == Path.cwd():
        raise FileExistsError(
            f"{out} is the current folder, which a report cannot replace; name another"
        )
    if out.exists() and not _replaceable(out):
        raise FileExistsError(
            f"{out} is there and is no report; name a folder that is new or empty"
        )


def write_folder(out: Path, files: Mapping[str, str]) -> None:
    """Write files under a temporary name and give the folder its own at the end.

    An earlier report of the same name is replaced.

    Raises
    ------
    FileExistsError
        There is something of that name that is no report.
    OSError
        The files cannot be written; an earlier report is then still there.
    """
    check_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{out.name}-", dir=out.parent
    ) as temporary:
        fresh, former = Path(temporary) / "fresh", Path(temporary) / "former"
        for name, text in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        if out.exists():
            out.rename(former)
        try:
            fresh.rename(out)
        except OSError:
            if former.exists():
                former.rename(out)
            raise


def _replaceable(out: Path) -> bool:
    return out.is_dir() and ((out / PAGE_NAME).is_file() or not any(out.iterdir()))
