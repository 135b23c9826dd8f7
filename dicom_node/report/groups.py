"""One measurement group per level or slab: TID 1410 with 300, 4019 and 4108.

Three numbers stand directly in a group, because viewers print all of them beside
the region; everything further is a property of the grade it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset

from dicom_node.report import codes
from dicom_node.report.codes import ROOT_SCALES, SCALES, Concept
from dicom_node.report.context import MANUFACTURER
from dicom_node.report.evidence import Evidence
from dicom_node.report.identity import tracking_uid
from dicom_node.report.items import (
    CONTAINS,
    HAS_PROPERTIES,
    INFERRED_FROM,
    MODIFIES,
    OBSERVES,
    SELECTED_FROM,
    code_item,
    container_item,
    image_item,
    outline_item,
    percentage_item,
    text_item,
    uid_item,
    with_children,
)
from dicom_node.report.regions import graded_rectangle
from dicom_node.report.wording import (
    calibration,
    plain_text,
    region_words,
    worst_grades,
)
from grading.grades import (
    Finding,
    Grading,
    LevelGrade,
    ModelIdentity,
    Side,
    StudyGrades,
)


def measurement_group(
    evidence: Evidence, grades: StudyGrades, level: LevelGrade
) -> Dataset:
    """Return a Planar ROI Measurements group (TID 1410)."""
    scored = [(f, level.grades[f]) for f in Finding if f in level.grades]
    return container_item(
        codes.MEASUREMENT_GROUP,
        [
            *_tracking(grades.study_instance_uid, level),
            *_subject(codes.site(level.level)),
            *_algorithm(grades.model, level),
            *(_reported_probability(*graded) for graded in scored),
            *(_grade(*graded) for graded in scored),
            *(_root(side, root) for side, root in level.roots.items()),
            *_worst(evidence, grades, level),
            _region(evidence, grades, level),
            text_item(codes.COMMENT, _region_words(grades, level), CONTAINS),
            *(
                image_item(codes.SOURCE_OF_MEASUREMENT, reference, CONTAINS)
                for reference in evidence.references(level.slices)
            ),
        ],
        template="1410",
    )


def _tracking(study_instance_uid: str, level: LevelGrade) -> list[Dataset]:
    identifier = f"{level.name} disc" if level.level else level.name
    uid = tracking_uid(study_instance_uid, level.name)
    return [
        text_item(codes.TRACKING_IDENTIFIER, identifier, OBSERVES),
        uid_item(codes.TRACKING_UNIQUE_IDENTIFIER, uid, OBSERVES),
    ]


def _subject(site: Concept) -> list[Dataset]:
    return [
        code_item(codes.FINDING_CATEGORY, codes.ANATOMICAL_STRUCTURE, CONTAINS),
        code_item(codes.FINDING, site, CONTAINS),
        code_item(codes.FINDING_SITE, site, MODIFIES),
    ]


def _algorithm(model: ModelIdentity, level: LevelGrade) -> list[Dataset]:
    """Return the algorithm identification (TID 4019)."""
    fitted = [calibration(f, level.grades[f]) for f in Finding if f in level.grades]
    words = [f"weights sha256:{model.sha256}", f"basis: {model.basis}", *fitted]
    parameters = "; ".join(word for word in words if word)
    return [
        text_item(codes.ALGORITHM_NAME, plain_text(model.name), MODIFIES),
        text_item(codes.ALGORITHM_VERSION, plain_text(model.version), MODIFIES),
        text_item(codes.ALGORITHM_MANUFACTURER, MANUFACTURER, MODIFIES),
        text_item(codes.ALGORITHM_PARAMETERS, plain_text(parameters), MODIFIES),
        code_item(codes.ALGORITHM_FAMILY, codes.ARTIFICIAL_INTELLIGENCE, MODIFIES),
    ]


def _reported_probability(finding: Finding, grading: Grading) -> Dataset:
    """Return the one number per finding that viewers print beside the region."""
    return percentage_item(SCALES[finding].reported, grading.probability, CONTAINS)


def _grade(finding: Finding, grading: Grading) -> Dataset:
    """Return the coded grade with its whole distribution as properties."""
    scale = SCALES[finding]
    item = code_item(scale.name, scale.grades[grading.grade], CONTAINS)
    return with_children(item, _distribution(scale.probabilities, grading))


def _root(side: Side, grading: Grading) -> Dataset:
    """Return the coded grade of one side's root, with its site and distribution."""
    scale = ROOT_SCALES[side]
    site = code_item(codes.FINDING_SITE, codes.NERVE, MODIFIES)
    with_children(site, [code_item(codes.LATERALITY, codes.SIDES[side], MODIFIES)])
    item = code_item(scale.name, SCALES[Finding.LNRC].grades[grading.grade], CONTAINS)
    return with_children(item, [site, *_distribution(scale.probabilities, grading)])


def _distribution(concepts: tuple[Concept, ...], grading: Grading) -> Iterator[Dataset]:
    for concept, probability in zip(concepts, grading.probabilities, strict=True):
        yield percentage_item(concept, probability, HAS_PROPERTIES)


def _worst(evidence: Evidence, grades: StudyGrades, level: LevelGrade) -> list[Dataset]:
    """Return the grades of the worst slices, where they are not the reported ones."""
    return [
        with_children(
            code_item(SCALES[finding].worst, SCALES[finding].grades[grade], CONTAINS),
            [
                image_item(
                    codes.SOURCE_OF_MEASUREMENT,
                    evidence.reference(level.worst[finding]),
                    INFERRED_FROM,
                )
            ],
        )
        for finding, grade in worst_grades(grades, level).items()
    ]


def _region(evidence: Evidence, grades: StudyGrades, level: LevelGrade) -> Dataset:
    """Return the square that was graded on the key slice, as a closed line."""
    key = level.key_slice
    box = graded_rectangle(grades.slice_grade(key).region, evidence.header(key))
    item = outline_item(codes.IMAGE_REGION, box, CONTAINS)
    source = image_item(codes.SOURCE, evidence.reference(key), SELECTED_FROM)
    return with_children(item, [source])


def _region_words(grades: StudyGrades, level: LevelGrade) -> str:
    return region_words(grades.slice_grade(level.key_slice).region)
