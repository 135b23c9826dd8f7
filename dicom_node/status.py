"""`storage.overview` for a person, for a program, and for monitoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from pydicom.uid import UID

from storage.overview import (
    Commitments,
    Deliveries,
    Jobs,
    Overview,
    Receipts,
    SentAs,
    Studies,
)
from storage.space import FileSystem, Watermarks
from storage.states import AlarmKind
from storage.workers import WorkerSeen

OVERDUE_SECONDS = 3600.0
"""Work that has waited for an hour is stuck: studies take minutes, retries 15."""

UNHEARD_SECONDS = 300.0
"""A worker gives its first sign of life sooner, however slowly its bundle loads."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system with the least room, looked at now, and the marks."""

    scarcest: FileSystem | None
    marks: Watermarks


def as_json(seen: Overview, disk: Disk | None = None) -> dict[str, Any]:
    """Return everything, times in ISO 8601."""
    built: dict[str, Any] = msgspec.to_builtins(seen)
    for sent in built["sent"]:
        sent["sop_class"] = UID(sent["sop_class_uid"]).name
    if disk is not None:
        built["disk"] = msgspec.to_builtins(disk, enc_hook=str)
    return {**built, "complaints": complaints(seen, disk)}


def text(seen: Overview, disk: Disk | None = None) -> str:
    """Return what an administrator wants to read at two in the morning."""
    lines = [
        f"receipts    {_counts(seen.receipts)}",
        f"studies     {_counts(seen.studies)}",
        f"jobs        {_counts(seen.jobs)}",
        *(f"deliveries  {_counts(to)}" for to in seen.deliveries),
        *(f"commitments {_counts(of)}" for of in seen.commitments),
        *(f"sent        {_sent(sent)}" for sent in seen.sent),
        *([f"disk        {_room(disk)}"] if disk else []),
        *(f"workers     {_worker(worker)}" for worker in seen.workers),
    ]
    if seen.errors:
        lines += ["", "last errors"]
    lines += [
        f"  {error.at:%Y-%m-%d %H:%M:%S} UTC  {error.study_instance_uid or '-'}  "
        f"{error.sentence}"
        for error in seen.errors
    ]
    if seen.incomplete:
        lines += ["", "seemed incomplete when looked at"]
    lines += [
        f"  {study.at:%Y-%m-%d %H:%M:%S} UTC  {study.study_instance_uid}  {sentence}"
        for study in seen.incomplete
        for sentence in study.sentences
    ]
    found = complaints(seen, disk)
    lines += ["", "a person must act:" if found else "nothing for a person to do"]
    lines += [f"  {complaint}" for complaint in found]
    return "\n".join(lines)


def _counts(counted: Receipts | Studies | Jobs | Deliveries | Commitments) -> str:
    """Return "to pacs: 2 delivered, 0 waiting" or the like, in the fields' order."""
    counts: dict[str, Any] = msgspec.to_builtins(counted)
    destination = counts.pop("destination", None)
    counts.pop("oldest_seconds", None)
    words = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"to {destination}: {words}" if destination else words


def _sent(sent: SentAs) -> str:
    """Return "to pacs: 3 times the picture as Secondary Capture Image Storage"."""
    what = sent.kind.value.replace("_", " ")
    name = UID(sent.sop_class_uid).name
    return f"to {sent.destination}: {sent.count} times the {what} as {name}"


def _room(disk: Disk) -> str:
    """Return "6124 MB of 65536 free for FOLDER; images are refused below 1024 MB"."""
    if (found := disk.scarcest) is None:
        return "no file system answers"
    return (
        f"{found.free_bytes >> 20} of {found.total_bytes >> 20} MB free for "
        f"{found.folder}; images are refused below "
        f"{disk.marks.refuse_below_bytes >> 20} MB"
    )


def _worker(worker: WorkerSeen) -> str:
    """Return "host:123 lives", or since when it has been silent."""
    if worker.alive:
        return f"{worker.name} lives"
    return f"{worker.name} silent for {worker.silent_seconds / 60:.0f} minutes"


def complaints(seen: Overview, disk: Disk | None = None) -> list[str]:
    """Return a sentence for everything that will not mend itself."""
    waits = (
        ("a received image waits to be indexed", seen.oldest.receipt_seconds),
        ("a study waits to be looked at", seen.oldest.study_seconds),
        ("a study waits to be graded", seen.oldest.job_seconds),
        *(
            (f"an object waits to be sent to {to.destination}", to.oldest_seconds)
            for to in seen.deliveries
        ),
        *(
            (f"{of.destination} waits to be asked what it keeps", of.oldest_seconds)
            for of in seen.commitments
        ),
    )
    overdue = [
        f"{what} since {seconds / 3600:.1f} hours: is the worker running, the PACS up?"
        for what, seconds in waits
        if seconds is not None and seconds > OVERDUE_SECONDS
    ]
    # Looked at now: the alarm needs a worker that runs and a database that commits.
    full = (
        disk
        and disk.scarcest
        and (disk.scarcest.free_bytes < disk.marks.refuse_below_bytes)
    )
    if disk and full and all(it.kind is not AlarmKind.DISK_LOW for it in seen.alarms):
        overdue.append(f"disk_low: {_room(disk)}")
    return (
        overdue
        + _without_workers(seen)
        + [
            f"{alarm.kind.value}: {alarm.sentence}"
            + (
                f" (study {alarm.study_instance_uid})"
                if alarm.study_instance_uid
                else ""
            )
            for alarm in seen.alarms
        ]
    )


def _without_workers(seen: Overview) -> list[str]:
    """Say so where work waits and no worker gives a sign of life."""
    waits = seen.receipts.received or seen.studies.waiting or seen.jobs.waiting
    if not waits or any(it.alive for it in seen.workers):
        return []
    if not seen.workers and not _waits_for_a_sign(seen):
        return []
    names = ", ".join(_worker(it) for it in seen.workers) or "none was heard of"
    cure = "start lumbar-node-worker, and see its log where it ends again"
    return [f"no worker lives, and work waits: {names}; {cure}"]


def _waits_for_a_sign(seen: Overview) -> bool:
    """Tell whether work has waited longer than a worker that starts is silent."""
    oldest = seen.oldest
    waits = (oldest.receipt_seconds, oldest.study_seconds, oldest.job_seconds)
    return any(it is not None and it > UNHEARD_SECONDS for it in waits)


def needs_a_person(seen: Overview, disk: Disk | None = None) -> bool:
    """Return True where `complaints` has any."""
    return bool(complaints(seen, disk))
