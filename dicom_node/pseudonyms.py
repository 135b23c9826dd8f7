"""Who a study is about, by a key that is not the Patient ID.

Patient IDs can be guessed by trying all of them, so a plain hash hides nothing: the
pseudonym needs a secret. It lies in the data directory and stays there; without it
nobody finds a patient behind a pseudonym. `lumbar-grading import` makes the same
pseudonyms from the same key.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom import Dataset

from storage.files import Files

KEY_NAME = "pseudonyms.key"
KEY_BYTES = 32
DIGITS = 16
"""Hexadecimal: of a million patients two share one with a chance of 1 to 37 million."""

KEYWORDS = (
    "SpecificCharacterSet",
    "PatientID",
    "IssuerOfPatientID",
    "PatientSex",
    "PatientAge",
)
SEXES = ("F", "M", "O")
YEARS = re.compile(r"[0-9]{3}Y")
"""Ages in months, weeks or days are no patients of ours."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Who a study is about, without a name."""

    pseudonym: str
    sex: str
    """``F``, ``M``, ``O`` or empty."""
    age: str
    """Like ``049Y``, or empty."""


def key_of(data_directory: Path) -> bytes:
    """Return the secret of an installation, made at the first call.

    Raises
    ------
    OSError
        It cannot be read or written.
    """
    return Files(data_directory).made_once(KEY_NAME, secrets.token_bytes(KEY_BYTES))


def pseudonym(key: bytes, issuer: str, patient_id: str) -> str:
    """Return the pseudonym of a Patient ID; issuers tell equal IDs apart."""
    person = f"{issuer}\0{patient_id}"
    digest = hmac.digest(key, person.encode(errors="surrogateescape"), "sha256")
    return f"p{digest.hex()[:DIGITS]}"


def read_patient(key: bytes, study_instance_uid: str, image: Path) -> Patient:
    """Read from one image who its study is about.

    A study without a Patient ID counts as a patient of its own.

    Raises
    ------
    InvalidDicomError
        The image is no DICOM file.
    OSError
        The image cannot be read.
    """
    ds = pydicom.dcmread(image, stop_before_pixels=True, specific_tags=list(KEYWORDS))
    patient_id = _text(ds, "PatientID")
    issuer = _text(ds, "IssuerOfPatientID")
    if not patient_id:
        issuer, patient_id = "", f"study {study_instance_uid}"
    sex, age = _text(ds, "PatientSex"), _text(ds, "PatientAge")
    return Patient(
        pseudonym=pseudonym(key, issuer, patient_id),
        sex=sex if sex in SEXES else "",
        age=age if YEARS.fullmatch(age) else "",
    )


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value).strip(" \0")
