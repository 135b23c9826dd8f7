"""The narrative's words: templates per language, which a site may edit.

What a site cannot edit stands elsewhere: the first lines, the disclaimer, and what
every paragraph begins with where the bundle's basis is no site's evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from string import Formatter

import msgspec

from dicom_node.errors import ConfigError
from grading.grades import Finding, Side

Four = tuple[str, str, str, str]
_FIELDS: Mapping[str, frozenset[str]] = {
    "paragraph": frozenset({"place", "findings"}),
    "uncertain": frozenset({"words", "probability"}),
    "not_graded": frozenset({"finding"}),
    "worst": frozenset({"words", "grade"}),
    "right": frozenset({"words"}),
    "left": frozenset({"words"}),
}
"""What each template is filled with, all of it, so that no finding gets lost."""


class Language(StrEnum):
    """What our own text may be written in."""

    ENGLISH = "en"
    CHINESE = "zh-CN"
    KOREAN = "ko-KR"


class Phrases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The templates of one language, in the form of ``languages/en.toml``."""

    language: Language
    paragraph: str
    joint: str
    uncertain: str
    not_graded: str
    worst: str
    right: str
    left: str
    grades: dict[Finding, Four]

    def side(self, side: Side) -> str:
        """Return the template for the root of one side."""
        return self.right if side is Side.RIGHT else self.left

    @property
    def is_ascii(self) -> bool:
        """True where every character set of PS3.3 C.12.1.1.2 can hold the text."""
        templates = [getattr(self, name) for name in (*_FIELDS, "joint")]
        words = [text for four in self.grades.values() for text in four]
        return all(text.isascii() for text in (*templates, *words))


def shipped(language: Language) -> Phrases:
    """Return the templates that come with the node."""
    packed = files("dicom_node.report.languages").joinpath(f"{language}.toml")
    return msgspec.toml.decode(packed.read_bytes(), type=Phrases)


def load(path: Path) -> Phrases:
    """Read a site's own templates.

    Raises
    ------
    ConfigError
        The file cannot be read, lacks a template, or leaves out what a template is
        filled with.
    """
    try:
        phrases = msgspec.toml.decode(path.read_bytes(), type=Phrases)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); name a file of phrases"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        cure = "compare it with the shipped file"
        raise ConfigError(f"{path}: {error}; {cure}") from error
    for problem in _problems(phrases):
        raise ConfigError(f"{path}: {problem}")
    return phrases


def _problems(phrases: Phrases) -> list[str]:
    problems = [
        f"grades.{finding}: missing; it must have four texts, for grade 0 to 3"
        for finding in Finding
        if finding not in phrases.grades
    ]
    # A grade whose text lacks its figure could say anything.
    problems += [
        f"grades.{finding}: {text!r} must name the grade, {grade}"
        for finding, four in phrases.grades.items()
        for grade, text in enumerate(four)
        if not re.search(rf"(?<!\d){grade}(?!\d)", text)
    ]
    for name, wanted in _FIELDS.items():
        problems += _template_problems(name, getattr(phrases, name), wanted)
    return problems


def _template_problems(name: str, template: str, wanted: frozenset[str]) -> list[str]:
    named = ", ".join(f"{{{field}}}" for field in sorted(wanted))
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        return [f"{name}: {template!r} is no template ({error}); use {named}"]
    # A format or a conversion could make a template fail on some study only.
    plain = all(not spec and not how for _, field, spec, how in parts if field)
    if plain and {field for _, field, _, _ in parts if field is not None} == wanted:
        return []
    return [f"{name}: {template!r} must be filled with {named}, plain and nothing else"]
