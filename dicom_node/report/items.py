"""The content items of the report, each SEPARATE from the next and named by a code.

Under ContinuityOfContent CONTINUOUS, highdicom's default, viewers run all values of
a container together and print no names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    ScoordContentItem,
    TextContentItem,
    UIDRefContentItem,
)

from dicom_node.report.codes import PERCENT, Concept
from dicom_node.report.evidence import Reference
from dicom_node.report.regions import Rectangle

CONTAINS = RelationshipTypeValues.CONTAINS
MODIFIES = RelationshipTypeValues.HAS_CONCEPT_MOD
OBSERVES = RelationshipTypeValues.HAS_OBS_CONTEXT
ACQUIRES = RelationshipTypeValues.HAS_ACQ_CONTEXT
HAS_PROPERTIES = RelationshipTypeValues.HAS_PROPERTIES
SELECTED_FROM = RelationshipTypeValues.SELECTED_FROM
INFERRED_FROM = RelationshipTypeValues.INFERRED_FROM


def container_item(
    name: Concept,
    items: Sequence[ContentItem],
    relationship: RelationshipTypeValues | None = CONTAINS,
    template: str | None = None,
) -> ContentItem:
    container = ContainerContentItem(
        name=name.code,
        is_content_continuous=False,
        template_id=template,
        relationship_type=relationship,
    )
    container.ContentSequence = ContentSequence(items)
    return container


def with_children(item: ContentItem, children: Iterable[ContentItem]) -> ContentItem:
    """Return ``item`` with content items below it."""
    item.ContentSequence = ContentSequence(list(children))
    return item


def code_item(
    name: Concept, value: Concept, relationship: RelationshipTypeValues
) -> ContentItem:
    return CodeContentItem(name.code, value.code, relationship)


def text_item(
    name: Concept, text: str, relationship: RelationshipTypeValues
) -> ContentItem:
    return TextContentItem(name.code, text, relationship)


def uid_item(
    name: Concept, uid: str, relationship: RelationshipTypeValues
) -> ContentItem:
    return UIDRefContentItem(name.code, uid, relationship)


def percentage_item(
    name: Concept, probability: float, relationship: RelationshipTypeValues
) -> ContentItem:
    """Return a percentage with one decimal; highdicom takes no NumPy number."""
    return NumContentItem(
        name.code,
        round(100 * float(probability), 1),
        PERCENT.code,
        relationship_type=relationship,
    )


def image_item(
    name: Concept, reference: Reference, relationship: RelationshipTypeValues
) -> ContentItem:
    return ImageContentItem(
        name=name.code,
        referenced_sop_class_uid=reference.instance.sop_class_uid,
        referenced_sop_instance_uid=reference.instance.sop_instance_uid,
        referenced_frame_numbers=list(reference.frames) or None,
        relationship_type=relationship,
    )


def outline_item(
    name: Concept, box: Rectangle, relationship: RelationshipTypeValues
) -> ContentItem:
    """Return a rectangle as a closed line of five points, column first."""
    points = [
        (box.left, box.top),
        (box.right, box.top),
        (box.right, box.bottom),
        (box.left, box.bottom),
        (box.left, box.top),
    ]
    return ScoordContentItem(
        name.code,
        graphic_type="POLYLINE",
        graphic_data=np.array(points, dtype=np.float32),
        relationship_type=relationship,
    )
