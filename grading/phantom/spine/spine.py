"""Draw a whole spine that shows the grades wanted at each of its discs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grading.grades import Grade, Level
from grading.phantom.measure import level_cut, measure
from grading.phantom.misfit import MisfitError
from grading.phantom.prevalence import WantedGrades
from grading.phantom.ranges import CONUS_ABOVE_L1_L2_MM, DISC_HEIGHT_LEFT
from grading.phantom.section.anatomy import Anatomy
from grading.phantom.section.draw import draw_anatomy
from grading.phantom.section.frame import Build, draw_build
from grading.phantom.section.gauge import BUNDLE_RIM_MM
from grading.phantom.spine import canal, column, nerves
from grading.phantom.spine.parts import DiscSpace, Part, Spine
from grading.phantom.spine.posture import GRADED, Posture, draw_posture
from grading.phantom.spine.segment import Segment
from grading.phantom.spine.solids import Clear, Inside, Shrunk, Solid, Whole
from grading.phantom.spine.surroundings import draw_body
from grading.phantom.spine.tissues import Tissue

NORMAL = WantedGrades(Grade.GRADE_0, Grade.GRADE_0, Grade.GRADE_0)
THORACIC = ("T11/T12", "T10/T11", "T9/T10")
THORACIC_STEP = 0.82
"""Spacing of the lower thoracic discs over the lumbar ones; a choice."""
DURA_MM = 0.35
SHEATH_MM = 0.5
"""Between a root and the sac."""
REDRAWS = 8
"""How often discs that lose their grades in the spine are drawn again."""
BUILDS = 25
PATIENTS = 5
"""How many patients are tried before a combination is given up."""


def draw_spine(wanted: Mapping[Level, WantedGrades], rng: np.random.Generator) -> Spine:
    """Draw one patient; levels that ``wanted`` leaves out are drawn as normal.

    The grades are those measured on the plane through a disc's middle. A disc that
    shows others than wanted once it stands in the spine is drawn again.

    Raises
    ------
    ValueError
        No anatomy can show the grades wanted.
    """
    for attempt in range(PATIENTS):
        try:
            return _draw_patient(wanted, rng)
        except ValueError:
            if attempt + 1 == PATIENTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _draw_patient(
    wanted: Mapping[Level, WantedGrades], rng: np.random.Generator
) -> Spine:
    patient = Patient(draw_posture(rng), draw_build(rng), float(rng.uniform(0, 1)))
    named = {
        level: _draw_segment(level, wanted.get(level, NORMAL), patient, rng)
        for level in GRADED
    }
    thoracic = _draw_thoracic(named[GRADED[0]], patient, rng)
    around = draw_body(
        patient.posture.axis, patient.posture.disc_s_mm, patient.older, rng
    )
    seed = int(rng.integers(2**63))
    for _ in range(REDRAWS):
        # The same seed each time: what fits already is drawn alike again.
        again = np.random.default_rng(seed)
        segments = (*thoracic, *named.values())
        spine = _assemble(patient, segments, around, again)
        unlike = [
            space.level
            for space in spine.discs
            if space.level in wanted
            and _grades(spine, space) != wanted[space.level].all
        ]
        if not unlike:
            return spine
        for level in unlike:
            named[level] = _draw_segment(level, wanted.get(level, NORMAL), patient, rng)
    raise ValueError(f"no disc in {REDRAWS} attempts keeps its grades in the spine")


def _grades(spine: Spine, space: DiscSpace) -> tuple[Grade, Grade, Grade] | None:
    truth = measure(spine, level_cut(spine, space))
    return truth.grades if truth else None


def _draw_segment(
    level: Level, grades: WantedGrades, patient: Patient, rng: np.random.Generator
) -> Segment:
    section = _draw_section(level, grades, patient.build, rng)
    wear = _draw_wear(grades, patient.older, rng)
    # Height goes with age alone: were it to go with the grades, a table of grades
    # would hold for discs but not for slices, of which a low disc has fewer.
    lost = patient.older * float(rng.uniform(0.2, 1.0))
    left = 1 - lost * (1 - float(rng.uniform(*DISC_HEIGHT_LEFT)))
    return Segment(
        name=level.value,
        level=level,
        s_mm=patient.posture.disc_s_mm[level],
        height_mm=patient.posture.disc_height_mm[level] * left,
        section=section,
        wear=wear,
    )


def _draw_section(
    level: Level, grades: WantedGrades, build: Build, rng: np.random.Generator
) -> Anatomy:
    """Draw a cross-section; a level may differ from the patient's others for it."""
    for _ in range(BUILDS):
        try:
            return draw_anatomy(grades, level, build, rng)[0]
        except MisfitError:
            other = draw_build(rng)
            build = replace(
                build,
                canal_depth_mm=other.canal_depth_mm,
                canal_width_mm=other.canal_width_mm,
                facet_edge_mm=other.facet_edge_mm,
                facet_line_mm=other.facet_line_mm,
            )
    raise ValueError(f"no anatomy shows {grades} at {level}; draw another seed")


def _draw_thoracic(
    first: Segment, patient: Patient, rng: np.random.Generator
) -> tuple[Segment, ...]:
    """Return the segments above the lumbar spine, cranial to caudal."""
    step = patient.posture.spacing_mm * THORACIC_STEP
    section = _draw_section(GRADED[0], NORMAL, patient.build, rng)
    above = [
        Segment(
            name,
            None,
            first.s_mm + step * (index + 1),
            first.height_mm * 0.75,
            section,
            patient.older * 0.5,
        )
        for index, name in enumerate(THORACIC)
    ]
    return tuple(reversed(above))


def _draw_wear(grades: WantedGrades, older: float, rng: np.random.Generator) -> float:
    """Draw a disc's degeneration: with age, and more where something is wrong."""
    worse = 0.35 * (grades.ldh > 0) + 0.2 * (grades.lccs > 0)
    return float(np.clip(older * rng.uniform(0.2, 1.0) + worse * rng.random(), 0, 1))


def _assemble(
    patient: Patient,
    segments: Sequence[Segment],
    around: Sequence[Part],
    rng: np.random.Generator,
) -> Spine:
    """Lay the structures over each other, from the skin to the roots."""
    posture = patient.posture
    contents = [_draw_contents(segment, rng) for segment in segments]
    bony = canal.canal_tube(segments)
    body = canal.sac_body(segments, rng)
    sac = canal.dural_sac(
        body, bony, segments, [one for some in contents for one in some.pressing()]
    )
    conus_s_mm = posture.disc_s_mm[Level.L1_L2] + float(
        rng.uniform(*CONUS_ABOVE_L1_L2_MM)
    )
    rootlets = nerves.rootlet_tubes(segments, sac, body, conus_s_mm)
    cord = nerves.cord(conus_s_mm, float(posture.axis.s[-1]), body)
    parts = (
        *around,
        *column.pedicles(segments, rng),
        *_fat(segments, bony),
        *(part for segment in segments for part in column.arch(segment, rng)),
        *_material(segments, contents, rng),
        *column.bodies(segments, rng),
        *(part for segment in segments for part in column.disc_parts(segment, rng)),
        *_ligaments(segments, contents),
        *(part for segment in segments for part in column.joints(segment)),
        *_sac_parts(sac, rootlets, cord, segments),
        *_root_parts(segments, contents),
    )
    return Spine(
        axis=posture.axis,
        discs=tuple(
            _disc_space(segment.level, segment, content, sac)
            for segment, content in zip(segments, contents, strict=True)
            if segment.level is not None
        ),
        parts=parts,
        sac=sac,
        rootlets=rootlets,
        lumbar_vertebrae=posture.lumbar_vertebrae,
        conus_s_mm=conus_s_mm,
        sacrum_s_mm=segments[-1].s_mm - segments[-1].half_height_mm,
    )


@dataclass(frozen=True, slots=True)
class Patient:
    """What all levels of a spine have in common."""

    posture: Posture
    build: Build
    older: float
    """0 a young adult, 1 an old one."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What lies in the canal at one disc, from front to back."""

    disc: Solid
    herniation: Solid | None
    roots: tuple[Solid, Solid]
    """Right, left, as far as they can be told from disc material."""
    resting_roots: tuple[Solid, Solid]
    flavum: tuple[Solid, Solid]
    osteophytes: tuple[Solid, ...]
    processes: tuple[Solid, Solid]
    """The lower vertebra's: right, left."""
    joints: tuple[Solid, Solid]

    def pressing(self) -> Iterator[Solid]:
        """Yield what the sac gives way to."""
        yield self.disc
        if self.herniation is not None:
            yield self.herniation
        yield from (Shrunk(root, -SHEATH_MM) for root in self.roots)
        yield from self.flavum
        yield from self.processes
        yield from self.joints
        yield from self.osteophytes


def _draw_contents(segment: Segment, rng: np.random.Generator) -> Contents:
    section = segment.section
    herniation = canal.herniation(segment, rng)
    tubes = [nerves.root_tube(segment, root) for root in section.roots]
    right, left = (
        Clear(tube, herniation, 0.0) if herniation and root.merged else tube
        for tube, root in zip(tubes, section.roots, strict=True)
    )
    rest_right, rest_left = (
        nerves.root_tube(segment, root, resting=True) for root in section.roots
    )
    process_right, process_left = (
        column.facet_processes(segment, facet)[1] for facet in section.facets
    )
    joint_right, joint_left = (column.joint(segment, one) for one in section.facets)
    return Contents(
        disc=column.disc_body(segment),
        herniation=herniation,
        roots=(right, left),
        resting_roots=(rest_right, rest_left),
        flavum=canal.flavum(segment),
        osteophytes=canal.osteophytes(segment),
        processes=(process_right, process_left),
        joints=(joint_right, joint_left),
    )


def _disc_space(
    level: Level, segment: Segment, content: Contents, sac: Solid
) -> DiscSpace:
    bundled = segment.section.rootlets.bundled
    return DiscSpace(
        level=level,
        s_mm=segment.s_mm,
        height_mm=segment.height_mm,
        section=segment.section,
        disc=content.disc,
        herniation=content.herniation,
        joints=content.joints,
        walls=Whole((*content.flavum, *content.osteophytes, *content.processes)),
        roots=content.roots,
        resting_roots=content.resting_roots,
        bundle=nerves.bundle(segment, sac, BUNDLE_RIM_MM) if bundled else None,
    )


def _fat(segments: Sequence[Segment], bony: Solid) -> Iterator[Part]:
    for segment in segments:
        for side, word in ((-1, "right"), (1, "left")):
            foramen = column.foramen(segment, side)
            yield Part(f"foramen {word} {segment.name}", Tissue.FAT, foramen, fine=True)
    yield Part("epidural fat", Tissue.EPIDURAL_FAT, bony, fine=True)


def _material(
    segments: Sequence[Segment],
    contents: Sequence[Contents],
    rng: np.random.Generator,
) -> Iterator[Part]:
    """Yield herniations; discs and vertebrae come later and cover what is not past."""
    for segment, content in zip(segments, contents, strict=True):
        if content.herniation is not None:
            yield Part(
                f"herniation {segment.name}",
                Tissue.HERNIATION,
                content.herniation,
                fine=True,
                shade=float(rng.random()),
            )


def _ligaments(
    segments: Sequence[Segment], contents: Sequence[Contents]
) -> Iterator[Part]:
    for segment, content in zip(segments, contents, strict=True):
        for solid, word in zip(content.flavum, ("right", "left"), strict=True):
            name = f"flavum {word} {segment.name}"
            yield Part(name, Tissue.FLAVUM, solid, fine=True)
        for number, solid in enumerate(content.osteophytes, start=1):
            yield from column.bone(f"osteophyte {number} {segment.name}", solid)


def _sac_parts(
    sac: Solid,
    rootlets: Sequence[Solid],
    cord: Solid,
    segments: Sequence[Segment],
) -> Iterator[Part]:
    yield Part("dura", Tissue.DURA, Shrunk(sac, -DURA_MM), fine=True)
    yield Part("fluid", Tissue.FLUID, sac, fine=True)
    for segment in segments:
        if segment.section.rootlets.bundled:
            bundle = nerves.bundle(segment, sac, BUNDLE_RIM_MM)
            yield Part(f"bundle {segment.name}", Tissue.ROOTLET, bundle, fine=True)
    for number, rootlet in enumerate(rootlets, start=1):
        yield Part(f"rootlet {number}", Tissue.ROOTLET, rootlet, fine=True)
    yield Part("cord", Tissue.CORD, Inside((cord, sac)), fine=True)


def _root_parts(
    segments: Sequence[Segment], contents: Sequence[Contents]
) -> Iterator[Part]:
    for segment, content in zip(segments, contents, strict=True):
        for solid, word in zip(content.roots, ("right", "left"), strict=True):
            yield Part(f"root {word} {segment.name}", Tissue.ROOT, solid, fine=True)
