"""Bring labels and images together, and say what became of those left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from grading.boxes import DrawnBox
from grading.grades import Level, SliceKey
from grading.training.importing.archive import Archive, ArchivedImage
from grading.training.importing.labels import Label, LeftOut, label_left_out

LEVELS = tuple(Level)
BY_TABLE = "table\0"
"""Tells a patient key of the table from a Patient ID that reads alike."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image with its label, if its pixels are as good as its header."""

    image: ArchivedImage
    label: Label

    @property
    def people(self) -> frozenset[str]:
        """Everybody that table and header say this is; one person, but for errors."""
        return frozenset(filter(None, (self.person, self.image.person)))

    @property
    def person(self) -> str:
        """Who this is: by the table, or by the header where the table is silent."""
        if self.label.patient:
            return f"{BY_TABLE}{self.label.patient}"
        return self.image.person

    def left_out(self, reason: str) -> LeftOut:
        """Return the image with its label as left out."""
        return replace(
            _image_left_out(self.image, reason),
            source=self.label.source,
            level=self.label.level,
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """What goes on, and what does not."""

    candidates: tuple[Candidate, ...]
    """In the order of the images' UIDs."""
    left_out: tuple[LeftOut, ...]


class Matching:
    """Labels on their way to their images."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._by_name: dict[tuple[str, int], list[ArchivedImage]] = {}
        for image in archive.images.values():
            for name in (image.key.sop_instance_uid, image.file):
                self._by_name.setdefault((name, image.key.frame), []).append(image)
        self._labels: dict[SliceKey, Label] = {}
        self._left_out: list[LeftOut] = []
        self._spoken_of: set[SliceKey] = set()
        """Images that a label names, be it used or not."""
        self._boxed: set[SliceKey] = set()

    def add_image_label(self, label: Label) -> None:
        """Take a label of one image."""
        try:
            image = self.image(
                label.series, label.sop_instance, label.file, label.frame
            )
        except LookupError as error:
            self._left_out.append(label_left_out(label, str(error)))
            return
        self._spoken_of.add(image.key)
        self._take(image, label)

    def add_level_labels(self, labels: Sequence[Label]) -> None:
        """Take the labels of all levels of one study.

        An image that has a label of its own keeps it.
        """
        slabs = self._archive.slabs.get(labels[0].study, ())
        in_order = sorted(
            labels, key=lambda label: LEVELS.index(label.level or LEVELS[0])
        )
        for place, label in enumerate(in_order, start=1):
            reason = _slab_objection(label, len(slabs), len(labels))
            if reason is None:
                self._take_slab(slabs[(label.slab or place) - 1], label)
            else:
                self._left_out.append(label_left_out(label, reason))

    def add_boxes(self, boxes: Iterable[DrawnBox]) -> None:
        """Put boxes on the images that have a label."""
        for drawn in boxes:
            try:
                image = self.image(
                    drawn.series, drawn.sop_instance, drawn.file, drawn.frame
                )
                self._put_box(image, drawn)
            except LookupError as error:
                left_out = LeftOut(
                    f"box: {error}",
                    source=drawn.source,
                    file=drawn.file,
                    series=drawn.series,
                    sop_instance=drawn.sop_instance,
                    frame=drawn.frame,
                )
                self._left_out.append(left_out)

    def image(
        self, series: str, sop_instance: str, file: str, frame: int
    ) -> ArchivedImage:
        """Return the image of that name.

        Raises
        ------
        LookupError
            There is none, or there are several.
        """
        found = [
            image
            for image in self._by_name.get((sop_instance or file, frame), ())
            if series in ("", image.key.series_instance_uid)
            and file in ("", image.file)
        ]
        if not found:
            raise LookupError("no such image in the archive")
        if len(found) > 1:
            raise LookupError(
                f"{len(found)} series have this SOP Instance UID; fill `series`"
            )
        return found[0]

    def finish(self) -> Matched:
        """Return all candidates; images without a label are left out."""
        archive = self._archive
        unlabelled = archive.gradable - self._labels.keys() - self._spoken_of
        left_out = [
            *self._left_out,
            *(
                _image_left_out(archive.images[key], "no label for this image")
                for key in unlabelled
            ),
            *self._unused_series(),
        ]
        keys = sorted(
            self._labels,
            key=lambda key: (key.series_instance_uid, key.sop_instance_uid, key.frame),
        )
        candidates = (Candidate(archive.images[key], self._labels[key]) for key in keys)
        return Matched(tuple(candidates), tuple(left_out))

    def _take_slab(self, slab: Sequence[SliceKey], label: Label) -> None:
        for key in slab:
            if key not in self._spoken_of and key not in self._labels:
                self._take(self._archive.images[key], label)

    def _take(self, image: ArchivedImage, label: Label) -> None:
        reason = self._objection(image, label)
        if reason is None:
            self._labels[image.key] = label
        else:
            self._spoken_of.add(image.key)
            self._left_out.append(Candidate(image, label).left_out(reason))

    def _objection(self, image: ArchivedImage, label: Label) -> str | None:
        verdict = self._archive.verdicts[image.key.series_instance_uid]
        if label.excluded:
            return f"excluded: {label.excluded}"
        if not label.grades:
            return "its label has no grade"
        if label.study not in ("", image.study):
            return f"the image is of study {image.study}"
        if image.key in self._labels:
            return f"labelled already, by {self._labels[image.key].source}"
        if not verdict.graded:
            return f"series not used: {verdict.reason}"
        if image.key not in self._archive.gradable:
            return "not a T2-weighted image of its series"
        if not image.person and not label.patient:
            return "no Patient ID, and the table names no patient"
        return None

    def _put_box(self, image: ArchivedImage, drawn: DrawnBox) -> None:
        label = self._labels.get(image.key)
        if label is None:
            raise LookupError("its image has no label that is used")
        # As `grading.boxes.boxes_on` has it for one study; here the others go on.
        if image.key in self._boxed:
            raise LookupError("its image has a box already; remove one")
        rows, columns = image.header.rows, image.header.columns
        if not drawn.box.lies_within(rows, columns):
            raise LookupError(f"it reaches outside the {rows} x {columns} image")
        self._boxed.add(image.key)
        self._labels[image.key] = replace(label, box=drawn.box)

    def _unused_series(self) -> Iterator[LeftOut]:
        """Yield the series that the node would not grade and that no label names."""
        named = {key.series_instance_uid for key in self._spoken_of}
        studies = {
            image.key.series_instance_uid: image.study
            for image in self._archive.images.values()
        }
        for uid, verdict in self._archive.verdicts.items():
            if not verdict.graded and uid not in named:
                reason = f"series not used: {verdict.reason}"
                yield LeftOut(reason, study=studies[uid], series=uid)


def match(
    archive: Archive, labels: Iterable[Label], boxes: Iterable[DrawnBox] = ()
) -> Matched:
    """Give every label its images.

    A level's label goes to all slices of one slab: the one it names, or, where a
    study has as many slabs as graded levels, the one in its place from the head.
    """
    matching = Matching(archive)
    by_study: dict[str, list[Label]] = {}
    for label in labels:
        if label.about_image:
            matching.add_image_label(label)
        else:
            by_study.setdefault(label.study, []).append(label)
    for of_study in by_study.values():
        matching.add_level_labels(of_study)
    matching.add_boxes(boxes)
    return matching.finish()


def _slab_objection(label: Label, slabs: int, levels: int) -> str | None:
    """Say why a level's slab is not known, None where it is."""
    if not slabs:
        return "the archive has no axial T2-weighted series of this study"
    if label.slab is None and levels != slabs:
        return (
            f"the study has {slabs} slabs and {levels} graded levels; "
            "fill the column `slab`"
        )
    if label.slab is not None and label.slab > slabs:
        return f"slab {label.slab}: the study has {slabs}"
    return None


def _image_left_out(image: ArchivedImage, reason: str) -> LeftOut:
    return LeftOut(
        reason,
        file=image.file,
        study=image.study,
        series=image.key.series_instance_uid,
        sop_instance=image.key.sop_instance_uid,
        frame=image.key.frame,
    )
