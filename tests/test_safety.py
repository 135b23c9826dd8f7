"""What the packages must never do, looked for in their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.privacy import EAR, Ear, words

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for package in ("dicom_node", "storage", "grading")
    for path in (ROOT / package).rglob("*.py")
)
RUNS_WHAT_IT_READS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve"}
"""Modules that run code which a file holds. Pipes between our own processes pickle as
well, and read nothing that anybody else wrote."""


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for path in SOURCES:
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each imported module, and the name that is taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, "") for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", name.name) for name in node.names)


def says(call: ast.Call, keyword: str, value: bool) -> bool:
    return any(
        it.arg == keyword
        and isinstance(it.value, ast.Constant)
        and it.value.value is value
        for it in call.keywords
    )


def test_nothing_imports_what_runs_the_code_in_a_file() -> None:
    found = [
        f"{path}: {module}.{name}"
        for path, tree in trees()
        for module, name in imports_of(tree)
        # The error that torch raises where a file would have run code is welcome.
        if module.partition(".")[0] in RUNS_WHAT_IT_READS and name != "UnpicklingError"
    ]

    assert len(SOURCES) > 100
    assert found == []


def test_torch_and_numpy_load_data_only() -> None:
    found = []
    for path, tree in trees():
        for call in (it for it in ast.walk(tree) if isinstance(it, ast.Call)):
            named = ast.unparse(call.func)
            if named == "torch.load" and not says(call, "weights_only", True):
                found.append(f"{path}:{call.lineno} {named}")
            if named in ("np.load", "numpy.load") and not says(
                call, "allow_pickle", False
            ):
                found.append(f"{path}:{call.lineno} {named}")

    assert found == []


@pytest.mark.parametrize(
    "said", ["filed for Phantom^Anna", "P0001 came", "born 19650412", "'Anna'"]
)
def test_whoever_names_a_patient_is_heard(said: str) -> None:
    ear = Ear(identifiers={*words("Phantom^Anna"), "P0001", "19650412"})
    ear.hear("a log", "graded 17 slices [action=graded study=2.25.1001]")
    ear.hear("a log", said)

    assert len(ear.named()) == 1
    assert ear.named() == []


def test_what_only_contains_the_letters_is_no_name() -> None:
    ear = Ear(identifiers={"Anna"})
    ear.hear("a log", "Annapolis, Hannah, 2Anna")

    assert ear.named() == []


def test_the_inputs_patients_are_known() -> None:
    assert {"Phantom^Anna", "P0001", "ANON-HITACHI-01"} <= EAR.identifiers
