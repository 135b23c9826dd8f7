"""Put a manifest together: labels to images, copies aside, patients to their parts."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from grading.training.importing.archive import Archive
from grading.training.importing.labels import LeftOut
from grading.training.importing.matching import BY_TABLE, Candidate, Matched
from grading.training.importing.pixels import Decoded, look, without_copies
from grading.training.importing.pseudonyms import Pseudonyms
from grading.training.importing.splitting import part_of, united
from grading.training.manifest import LabelledImage, Manifest, Part

MANIFEST_NAME = "manifest.jsonl"
LEFT_OUT_NAME = "left-out.csv"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found."""

    manifest: Manifest
    left_out: tuple[LeftOut, ...]
    shared: tuple[tuple[str, ...], ...]
    """Patients of the manifest's keys under whom the same pixels were found."""


def assemble(
    archive: Archive, matched: Matched, pseudonyms: Pseudonyms, site: str = ""
) -> Imported:
    """Look at the pixels of all candidates and make the manifest of the good ones.

    Parameters
    ----------
    site
        For images whose label names none.
    """
    looked = list(look(archive.folder, matched.candidates))
    distinct = without_copies(one for one in looked if isinstance(one, Decoded))
    sound, unsound = _of_one_patient(distinct.candidates)
    parts = _parts(sound, distinct.shared)
    sites, scanners = _sites(sound, site), _scanners(sound)
    images: list[LabelledImage] = []
    for one in sound:
        part, own_site = parts[one.person], sites[one.person]
        if part is None:
            unsound.append(one.left_out("its patient is in two parts by the table"))
        elif own_site is None:
            unsound.append(one.left_out("its patient is of two sites by the table"))
        else:
            scanner = scanners[one.image.study]
            images.append(_labelled(one, part, own_site, scanner, pseudonyms))
    left_out = (
        *archive.left_out,
        *matched.left_out,
        *(one for one in looked if isinstance(one, LeftOut)),
        *distinct.left_out,
        *unsound,
    )
    return Imported(
        Manifest(archive.folder, tuple(sorted(images, key=_order))),
        tuple(sorted(left_out, key=_cells)),
        _named(distinct.shared, pseudonyms),
    )


def write_left_out(path: Path, left_out: Sequence[LeftOut]) -> None:
    """Write the table of what is not in the manifest, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(field.name for field in fields(LeftOut))
        table.writerows(_cells(one) for one in left_out)
    partial.replace(path)


def _of_one_patient(
    candidates: Sequence[Candidate],
) -> tuple[list[Candidate], list[LeftOut]]:
    """Set studies aside that name two patients: nobody knows whose they are."""
    people: dict[str, set[str]] = {}
    for one in candidates:
        people.setdefault(one.image.study, set()).add(one.person)
    sound = [one for one in candidates if len(people[one.image.study]) == 1]
    unsound = [
        one.left_out("its study names two patients")
        for one in candidates
        if len(people[one.image.study]) > 1
    ]
    return sound, unsound


def _parts(
    candidates: Sequence[Candidate], shared: Iterable[frozenset[str]]
) -> Mapping[str, Part | None]:
    """Return each person's part, None where the table gives it two.

    Who is the same by table or header, or has the same pixels, is on the same side.
    """
    groups = {*shared, *(one.people for one in candidates)}
    speakers = united(frozenset().union(*groups), groups)
    given: dict[str, set[Part]] = {}
    for one in candidates:
        wanted = given.setdefault(speakers[one.person], set())
        if one.label.part:
            wanted.add(one.label.part)
    decided = {speaker: _decided(speaker, wanted) for speaker, wanted in given.items()}
    return {one.person: decided[speakers[one.person]] for one in candidates}


def _decided(speaker: str, wanted: set[Part]) -> Part | None:
    if len(wanted) > 1:
        return None
    return next(iter(wanted), part_of(speaker))


def _sites(candidates: Sequence[Candidate], otherwise: str) -> Mapping[str, str | None]:
    """Return each person's site, None where the table gives two.

    ``otherwise`` is that of whom the table gives none.
    """
    given: dict[str, set[str]] = {one.person: set() for one in candidates}
    for one in candidates:
        if one.label.site:
            given[one.person].add(one.label.site)
    return {
        person: None if len(sites) > 1 else next(iter(sites), otherwise)
        for person, sites in given.items()
    }


def _scanners(candidates: Sequence[Candidate]) -> Mapping[str, str]:
    """Return each study's scanner, of which it has one."""
    scanners: dict[str, str] = {}
    for one in candidates:
        scanner = one.label.scanner or one.image.scanner
        scanners.setdefault(one.image.study, scanner)
    return scanners


def _labelled(
    one: Candidate, part: Part, site: str, scanner: str, pseudonyms: Pseudonyms
) -> LabelledImage:
    image, label = one.image, one.label
    return LabelledImage(
        patient=_key(one.person, pseudonyms),
        study=image.study,
        series=image.key.series_instance_uid,
        sop_instance=image.key.sop_instance_uid,
        frame=image.key.frame,
        file=image.file,
        level=label.level,
        grades=label.grades,
        box=label.box,
        part=part,
        site=site,
        scanner=scanner,
        phantom=image.phantom,
    )


def _named(
    shared: Iterable[frozenset[str]], pseudonyms: Pseudonyms
) -> tuple[tuple[str, ...], ...]:
    """Return groups of people by their keys in the manifest."""
    groups = [sorted(_key(person, pseudonyms) for person in group) for group in shared]
    return tuple(sorted(tuple(group) for group in groups))


def _key(person: str, pseudonyms: Pseudonyms) -> str:
    if person.startswith(BY_TABLE):
        return person.removeprefix(BY_TABLE)
    return pseudonyms.of(person)


def _order(image: LabelledImage) -> tuple[str, str, str, str, int]:
    return (image.patient, image.study, image.series, image.sop_instance, image.frame)


def _cells(left_out: LeftOut) -> tuple[str, ...]:
    return tuple("" if cell is None else str(cell) for cell in astuple(left_out))
