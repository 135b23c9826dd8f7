"""Small archives on disk: studies of a few axial slices with pixels of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite

from grading.training.importing.archive import Archive, read_archive
from tests.dicom_factories import SIDE, mr_image

SLICES = 3
"""Of a slab, the fewest that the node grades."""
BETWEEN_SLABS_MM = 30.0


@dataclass(frozen=True, slots=True)
class Study:
    """What one study of an archive is like."""

    number: int
    patient_id: str = "P1"
    slabs: int = 1
    echo_time_ms: float = 95.0
    manufacturer: str = "Maker"
    pixels_of: int | None = None
    """Another study's number whose pixels this one repeats."""

    @property
    def uid(self) -> str:
        return f"2.25.{100 + self.number}"

    @property
    def series(self) -> str:
        return f"{self.uid}.1"

    def instance(self, place: int) -> str:
        """Return the SOP Instance UID of the image in that place, from 1."""
        return f"{self.series}.{place}"

    def file(self, place: int) -> str:
        return f"{self.number}/{place:02d}.dcm"


def image_of(study: Study, place: int) -> Dataset:
    """Return the image in that place, from 1, cranial to caudal."""
    slab = (place - 1) // SLICES
    ds = mr_image(place, study.series)
    ds.StudyInstanceUID = study.uid
    ds.SOPInstanceUID = study.instance(place)
    ds.PatientID = study.patient_id
    ds.PatientName = f"Name^{study.patient_id}"
    ds.Manufacturer = study.manufacturer
    ds.EchoTime = study.echo_time_ms
    ds.ImagePositionPatient = [-48, -48, -4.5 * place - BETWEEN_SLABS_MM * slab]
    source = study.number if study.pixels_of is None else study.pixels_of
    noise = np.random.default_rng((source, place)).integers(0, 2000, (SIDE, SIDE))
    ds.PixelData = noise.astype(np.uint16).tobytes()
    return ds


def write_archive(folder: Path, *studies: Study) -> Archive:
    """Write studies below a folder and read the archive."""
    for study in studies:
        for place in range(1, study.slabs * SLICES + 1):
            path = folder / study.file(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            dcmwrite(path, image_of(study, place), enforce_file_format=True)
    return read_archive(folder)


def table(path: Path, *rows: str, encoding: str = "utf-8") -> Path:
    """Write a table of grades with or without a header of its own."""
    path.write_text("\n".join(rows) + "\n", encoding=encoding)
    return path


def grades_of_every_slice(path: Path, *studies: Study) -> Path:
    """Write a table that grades every image, grades in turn."""
    rows = ["sop_instance,LDH,LCCS,LNRC"]
    for study in studies:
        for place in range(1, study.slabs * SLICES + 1):
            grades = ",".join(str((study.number + place + i) % 4) for i in range(3))
            rows.append(f"{study.instance(place)},{grades}")
    return table(path, *rows)
