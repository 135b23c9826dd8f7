"""Print the versions that this environment holds of all that the service needs.

``make constraints`` writes them into ``constraints.txt``, for `make install`. Of the
service and the extra ``serve-onnx``, with what these need in turn on this platform. A
constraint of something that another platform does not install does no harm there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
EXTRAS = ("serve-onnx",)
HEADER = """\
# The versions with which the tests passed; `make install` installs these and no others.
# Written by `make constraints`, from an environment in which `make check` has passed.
"""


def needed() -> list[Requirement]:
    """Return what pyproject.toml asks for."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    words = [*project["dependencies"], *(it for one in EXTRAS for it in extras[one])]
    return [Requirement(word) for word in words]


def pins(requirements: list[Requirement]) -> dict[str, str]:
    """Return the versions of these and of all that they need, by name."""
    found: dict[str, str] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        try:
            here = distribution(name)
        except PackageNotFoundError:
            if requirement in requirements:
                raise
            continue  # of another platform
        # Without the local part: which build of it is the installing machine's affair.
        if name not in found or requirement.extras:
            found[name] = Version(here.version).public
            waiting += _of(here.requires or [], requirement.extras)
    return found


def _of(requires: list[str], extras: set[str]) -> Iterator[Requirement]:
    for word in requires:
        requirement = Requirement(word)
        marker = requirement.marker
        if marker is None or any(
            marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            yield requirement


if __name__ == "__main__":
    print(HEADER, end="")
    for name, version in sorted(pins(needed()).items()):
        print(f"{name}=={version}")
