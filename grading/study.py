"""One study on its way to the grader: its series judged, some of them decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydicom import Dataset

from grading.errors import NotGradable
from grading.grades import SeriesVerdict
from grading.headers import Vector
from grading.levels.sightings import nearest_images
from grading.series import (
    LoadedSeries,
    SeriesHeaders,
    Slice,
    gradable_images,
    group_series,
    judge,
    load,
)

PLACING_UIDS = ("SeriesInstanceUID", "SOPInstanceUID")
"""SOP Instance UIDs repeat between series in real archives."""


class StudyReader:
    """Judges and decodes the series of one study, and keeps what became of each.

    Raises
    ------
    NotGradable
        No series is axial T2-weighted lumbar MR; the message says what each is.
    """

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self._headers = group_series(datasets)
        self._verdicts = {one.series_instance_uid: judge(one) for one in self._headers}
        self._by_instance = {
            (
                str(ds.get("SeriesInstanceUID", "")),
                str(ds.get("SOPInstanceUID", "")),
            ): ds
            for ds in datasets
        }
        self.notes: list[str] = []
        """What could not be read."""
        if not any(verdict.graded for verdict in self.verdicts):
            raise NotGradable(self._nothing_to_grade())

    @property
    def verdicts(self) -> tuple[SeriesVerdict, ...]:
        """What became of each series so far."""
        return tuple(self._verdicts.values())

    def axial(self) -> list[Slice]:
        """Decode the slices to grade; a series that cannot be read is not graded.

        Raises
        ------
        NotGradable
            None of the series can be read.
        """
        slices: list[Slice] = []
        for headers in self._headers:
            uid = headers.series_instance_uid
            if not self._verdicts[uid].graded:
                continue
            try:
                slices += self._load(headers).slices
            except NotGradable as error:
                self._refuse(uid, str(error))
        if not slices:
            raise NotGradable(self._nothing_to_grade())
        return slices

    def sagittal(self, canal: Sequence[Vector]) -> list[LoadedSeries]:
        """Decode those images for the levels that lie nearest to the canal."""
        loaded = []
        for headers in self._headers:
            uid = headers.series_instance_uid
            if not self._verdicts[uid].for_levels:
                continue
            images = gradable_images(headers)
            chosen = tuple(images[index] for index in nearest_images(images, canal))
            try:
                loaded.append(self._load(replace(headers, images=chosen)))
            except NotGradable as error:
                self.leave_out(uid, str(error))
        return loaded

    def leave_out(self, series_instance_uid: str, reason: str) -> None:
        """Say why a series for the levels told none."""
        verdict = self._verdicts[series_instance_uid]
        self._refuse(series_instance_uid, f"{verdict.reason}; not used: {reason}")

    def _refuse(self, uid: str, reason: str) -> None:
        verdict = self._verdicts[uid]
        self._verdicts[uid] = replace(
            verdict, graded=False, for_levels=False, reason=reason
        )

    def _load(self, headers: SeriesHeaders) -> LoadedSeries:
        by_key = {
            image.key: self._by_instance[
                image.key.series_instance_uid, image.key.sop_instance_uid
            ]
            for image in headers.images
        }
        loaded = load(headers, by_key)
        self.notes += loaded.notes
        return loaded

    def _nothing_to_grade(self) -> str:
        reasons = "; ".join(
            f"'{verdict.description or 'no description'}' {verdict.reason}"
            for verdict in self.verdicts
        )
        what = reasons or "the study has no image"
        return f"no axial T2-weighted lumbar series: {what}"
