"""Two sites that install one version of the node run the same libraries."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def asked_for(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    words = [*project["dependencies"], *(it for one in extras for it in optional[one])]
    return [Requirement(word) for word in words]


def pinned() -> dict[str, str]:
    return dict(line.split("==") for line in LINES)


def test_every_line_pins_one_public_version_and_nothing_else() -> None:
    odd = [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", line)]

    assert odd == []
    assert len(pinned()) == len(LINES)


def test_what_the_service_needs_is_pinned_within_its_range() -> None:
    versions = pinned()

    outside = [
        str(requirement)
        for requirement in asked_for("serve-onnx")
        if (name := canonicalize_name(requirement.name)) not in versions
        or not requirement.specifier.contains(Version(versions[name]))
    ]

    assert outside == []


def test_what_is_pinned_meets_the_ranges_of_development_too() -> None:
    versions = pinned()

    outside = [
        str(requirement)
        for requirement in asked_for("train", "eval", "dev")
        if (version := versions.get(canonicalize_name(requirement.name)))
        and not requirement.specifier.contains(Version(version))
    ]

    assert outside == []


def test_an_installation_takes_the_pinned_versions() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    to_a_hospital = re.findall(r"\$\(PREFIX\)/venv/bin/pip install .*", makefile)
    to_a_hospital += re.findall(r"/venv/bin/pip install .*", manual)

    assert len(to_a_hospital) >= 2
    assert all("--constraint constraints.txt" in line for line in to_a_hospital)
