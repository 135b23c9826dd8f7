"""Walking the tree of a document in the tests."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset, dcmread

from dicom_node.report.objects import part10


def read_back(dataset: Dataset) -> Dataset:
    """Return an object as it is read from its Part 10 bytes."""
    return dcmread(BytesIO(part10(dataset)))


def items(node: Dataset) -> Iterator[Dataset]:
    """Yield every content item below ``node``, depth first."""
    for item in node.get("ContentSequence", []):
        yield item
        yield from items(item)


def meaning(item: Dataset) -> str:
    """Return the name of a content item."""
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def named(node: Dataset, name: str) -> list[Dataset]:
    """Return every content item of a name below ``node``."""
    return [item for item in items(node) if meaning(item) == name]


def texts(node: Dataset, name: str) -> list[str]:
    """Return the texts of a name below ``node``."""
    return [item.TextValue for item in named(node, name)]


def codes(node: Dataset, name: str) -> list[str]:
    """Return the code values of a name below ``node``."""
    return [item.ConceptCodeSequence[0].CodeValue for item in named(node, name)]


def number(item: Dataset) -> float:
    """Return the percentage of a NUM item."""
    (measured,) = item.MeasuredValueSequence
    assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "%"
    return float(measured.NumericValue)
