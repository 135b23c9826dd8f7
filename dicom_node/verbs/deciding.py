"""A person's word about one study, or about an alarm."""

from __future__ import annotations

import argparse

from dicom_node.errors import NodeError
from dicom_node.verbs.opening import load, opened

FAILED = 1

ACKNOWLEDGED = ("quarantined", "instance_changed", "quarantine_trimmed", "job_failed")
"""Alarms that a person can close by a word; most of them nobody else can."""


def regrade(arguments: argparse.Namespace) -> int:
    """Open a new revision of a study."""
    from storage import jobs, retention, studies

    study = arguments.study_instance_uid
    database = opened(load(arguments))
    with database.sessions.begin() as session:
        last = jobs.get(session, study)
        if last is None:
            raise NodeError(
                f"{study} was never queued: it holds no image, or still comes in"
            )
        revision = studies.force_revision(session, study)
        retention.require_images(session, study)
        jobs.add(session, study, revision, last.input_digest)
    database.close()
    print(f"revision {revision} of {study} waits to be graded")
    return 0


def resend(arguments: argparse.Namespace) -> int:
    """Send a study's existing output again."""
    from dicom_node.requested import addressee
    from storage import outbox

    config = load(arguments)
    database = opened(config)
    addressees = [addressee(destination) for destination in config.destinations]
    with database.sessions.begin() as session:
        count = outbox.resend(session, arguments.study_instance_uid, addressees)
    database.close()
    print(f"{count} objects of {arguments.study_instance_uid} wait to be sent again")
    return 0 if count else FAILED


def withdraw(arguments: argparse.Namespace) -> int:
    """End what waits for a destination that is no longer configured."""
    from storage import withdrawal

    config, name = load(arguments), arguments.destination
    if name in [destination.name for destination in config.destinations]:
        raise NodeError(
            f"{name} is configured, and what waits for it is sent; take it out of "
            f"{arguments.config} and restart the worker first"
        )
    database = opened(config)
    with database.sessions.begin() as session:
        count = withdrawal.withdraw_destination(session, name)
    database.close()
    print(f"{count} objects for {name} are withdrawn")
    return 0 if count else FAILED


def release(arguments: argparse.Namespace) -> int:
    """Say that a held study is in order: it names one patient, or is one."""
    from storage import patients

    study = arguments.study_instance_uid
    database = opened(load(arguments))
    with database.sessions.begin() as session:
        patients.release(session, study, one_patient=arguments.one_patient)
    database.close()
    print(f"{study} is released and will be looked at again")
    return 0


def set_aside(arguments: argparse.Namespace) -> int:
    """Leave a series out of its study, or take it back."""
    from storage import patients

    study, series = arguments.study_instance_uid, arguments.series_instance_uid
    turn = patients.take_back if arguments.undo else patients.set_aside
    database = opened(load(arguments))
    with database.sessions.begin() as session:
        count = turn(session, study, series)
    database.close()
    how = "belong to" if arguments.undo else "are left out of"
    print(f"{count} objects of series {series} {how} {study}, which is looked at anew")
    return 0 if count else FAILED


def acknowledge(arguments: argparse.Namespace) -> int:
    """Close alarms that a person has seen to."""
    from storage import alarms
    from storage.states import AlarmKind

    database = opened(load(arguments))
    kind = AlarmKind(arguments.kind)
    with database.sessions.begin() as session:
        count = alarms.resolve(session, kind, arguments.study_instance_uid)
    database.close()
    print(f"{count} alarms of kind {kind} closed")
    return 0 if count else FAILED
