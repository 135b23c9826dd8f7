"""The content items of the report, each SEPARATE from the next and named by a code.

Plain datasets after PS3.3 C.17.3: of highdicom's content items a report of five levels
needs seven hundred, and they take longer than all the rest of it. Under
ContinuityOfContent CONTINUOUS, highdicom's default, viewers run all values of a
container together and print no names.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.tag import BaseTag

from dicom_node.report.codes import PERCENT, Concept
from dicom_node.report.evidence import Reference
from dicom_node.report.regions import Rectangle


class Relationship(StrEnum):
    """How an item relates to the one above it (PS3.3 C.17.3.2.4)."""

    CONTAINS = "CONTAINS"
    MODIFIES = "HAS CONCEPT MOD"
    OBSERVES = "HAS OBS CONTEXT"
    ACQUIRES = "HAS ACQ CONTEXT"
    HAS_PROPERTIES = "HAS PROPERTIES"
    SELECTED_FROM = "SELECTED FROM"
    INFERRED_FROM = "INFERRED FROM"


CONTAINS = Relationship.CONTAINS
MODIFIES = Relationship.MODIFIES
OBSERVES = Relationship.OBSERVES
ACQUIRES = Relationship.ACQUIRES
HAS_PROPERTIES = Relationship.HAS_PROPERTIES
SELECTED_FROM = Relationship.SELECTED_FROM
INFERRED_FROM = Relationship.INFERRED_FROM


def container_item(
    name: Concept,
    items: Iterable[Dataset],
    relationship: Relationship | None = CONTAINS,
    template: str | None = None,
) -> Dataset:
    """Return a container; ``relationship`` is None for the root alone."""
    container = _item("CONTAINER", name, relationship)
    _put(container, "ContinuityOfContent", "SEPARATE")
    if template:
        used = Dataset()
        _put(used, "MappingResource", "DCMR")
        _put(used, "TemplateIdentifier", template)
        _put(container, "ContentTemplateSequence", [used])
    return with_children(container, items)


def with_children(item: Dataset, children: Iterable[Dataset]) -> Dataset:
    """Return ``item`` with content items below it."""
    _put(item, "ContentSequence", list(children))
    return item


def code_item(name: Concept, value: Concept, relationship: Relationship) -> Dataset:
    item = _item("CODE", name, relationship)
    _put(item, "ConceptCodeSequence", [_code(value)])
    return item


def text_item(name: Concept, text: str, relationship: Relationship) -> Dataset:
    item = _item("TEXT", name, relationship)
    _put(item, "TextValue", text)
    return item


def uid_item(name: Concept, uid: str, relationship: Relationship) -> Dataset:
    item = _item("UIDREF", name, relationship)
    _put(item, "UID", uid)
    return item


def percentage_item(
    name: Concept, probability: float, relationship: Relationship
) -> Dataset:
    """Return a percentage with one decimal, as text and as a number."""
    percentage = round(100 * float(probability), 1)
    measured = Dataset()
    _put(measured, "NumericValue", f"{percentage:.1f}")
    _put(measured, "FloatingPointValue", percentage)
    _put(measured, "MeasurementUnitsCodeSequence", [_code(PERCENT)])
    item = _item("NUM", name, relationship)
    _put(item, "MeasuredValueSequence", [measured])
    return item


def image_item(
    name: Concept, reference: Reference, relationship: Relationship
) -> Dataset:
    referenced = Dataset()
    _put(referenced, "ReferencedSOPClassUID", reference.instance.sop_class_uid)
    _put(referenced, "ReferencedSOPInstanceUID", reference.instance.sop_instance_uid)
    if reference.frames:
        _put(referenced, "ReferencedFrameNumber", list(reference.frames))
    item = _item("IMAGE", name, relationship)
    _put(item, "ReferencedSOPSequence", [referenced])
    return item


def outline_item(name: Concept, box: Rectangle, relationship: Relationship) -> Dataset:
    """Return a rectangle as a closed line of five points, column first."""
    corners = (
        (box.left, box.top),
        (box.right, box.top),
        (box.right, box.bottom),
        (box.left, box.bottom),
        (box.left, box.top),
    )
    item = _item("SCOORD", name, relationship)
    _put(item, "GraphicType", "POLYLINE")
    _put(item, "GraphicData", [float(place) for corner in corners for place in corner])
    return item


def _item(kind: str, name: Concept, relationship: Relationship | None) -> Dataset:
    item = Dataset()
    if relationship:
        _put(item, "RelationshipType", relationship.value)
    _put(item, "ValueType", kind)
    _put(item, "ConceptNameCodeSequence", [_code(name)])
    return item


def _code(concept: Concept) -> Dataset:
    code = Dataset()
    _put(code, "CodeValue", concept.value)
    _put(code, "CodingSchemeDesignator", concept.scheme)
    _put(code, "CodeMeaning", concept.meaning)
    return code


def _put(ds: Dataset, keyword: str, value: object) -> None:
    """Set an element; looking up its tag each time takes longer than setting it."""
    tag, vr = _element(keyword)
    ds.add(DataElement(tag, vr, value))


@cache
def _element(keyword: str) -> tuple[BaseTag, str]:
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    return tag, dictionary_VR(tag)
