"""What an administrator looks up stands in the documents, and links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TypeGuard

import pytest

from dicom_node import __main__ as command_line
from dicom_node import config, receiver
from dicom_node.logs import Action
from dicom_node.verbs import deciding
from storage.states import AlarmKind

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


@pytest.fixture
def operations() -> str:
    return (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", AlarmKind)
def test_every_alarm_has_its_line_in_the_operations_manual(
    operations: str, kind: AlarmKind
) -> None:
    assert f"| `{kind.value}` |" in operations


@pytest.mark.parametrize("action", Action)
def test_every_event_that_the_log_names_has_its_line(
    operations: str, action: Action
) -> None:
    assert f"| `{action.value}` |" in operations


def test_every_alarm_that_only_a_person_closes_is_named_with_its_command(
    operations: str,
) -> None:
    for kind in deciding.ACKNOWLEDGED:
        assert f"`node acknowledge {kind}" in operations


@pytest.mark.parametrize(
    "status",
    [
        receiver.SUCCESS,
        receiver.OUT_OF_RESOURCES_FILE,
        receiver.OUT_OF_RESOURCES_ROW,
        receiver.CANNOT_UNDERSTAND_EMPTY,
    ],
    ids=hex,
)
def test_every_answer_to_a_sender_has_its_line(operations: str, status: int) -> None:
    assert f"| 0x{status:04X} |" in operations


def test_the_exit_status_of_a_wrong_configuration_has_its_line(operations: str) -> None:
    assert f"\n| {config.EXIT_STATUS} |" in operations


def test_every_verb_stands_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["nonsense"])
    verbs = re.findall(r"'([a-z-]+)'", capsys.readouterr().err.partition("from")[2])

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [verb for verb in verbs if not re.search(rf"`{verb}[ `]", readme)]

    assert len(verbs) > 10
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    broken = [
        f"{path}#{heading}"
        for path, heading in LINK.findall(document.read_text(encoding="utf-8"))
        if not leads_somewhere(document, path, heading)
    ]

    assert broken == []


def leads_somewhere(document: Path, path: str, heading: str) -> bool:
    target = (document.parent / path).resolve() if path else document
    if not target.exists():
        return False
    return not heading or heading in headings(target)


def headings(document: Path) -> set[str]:
    """Return a document's headings as code hosts spell them in links."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.M)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


LEVELS_A_PERSON_READS = {"warning", "error", "critical", "exception"}
SERVICE = [
    *sorted((ROOT / "dicom_node").rglob("*.py")),
    *sorted((ROOT / "grading/engines").rglob("*.py")),
    ROOT / "grading/grader.py",
]
"""What runs in a hospital; the demo says what it does by itself."""


def sentences_of(source: Path) -> list[str]:
    """Return the longest fixed part of each sentence that a module may log."""
    calls = [it for it in ast.walk(ast.parse(source.read_text())) if is_complaint(it)]
    texts = [ast.literal_eval(it.args[0]) for it in calls if is_text(it.args[0])]
    return [max(re.split(r"%[-+0-9.]*[a-zA-Z]", text), key=len) for text in texts]


def is_complaint(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS_A_PERSON_READS
        and ast.unparse(node.func.value) == "log"
    )


def is_text(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and isinstance(argument.value, str)


@pytest.mark.parametrize("source", SERVICE, ids=lambda path: path.stem)
def test_every_complaint_of_the_log_can_be_looked_up(
    operations: str, source: Path
) -> None:
    missing = [
        sentence
        for sentence in sentences_of(source)
        if sentence.strip(" :;,.(`") not in operations
    ]

    assert missing == []
