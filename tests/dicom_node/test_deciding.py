"""What a person says about a study at the command line, and what is answered."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage import jobs
from storage.alarms import open_alarms, raise_alarm
from storage.database import Database, open_database
from storage.states import AlarmKind
from storage.studies import held_studies, hold
from tests.end_to_end.processes import run_here
from tests.storage.builders import SERIES, STUDY, header, is_quiet, receive

CONFIG = """\
[node]
ae_title = "LUMBARNODE"
data_directory = "{folder}/data"
[database]
url = "{url}"
"""
FOREIGN = "9.8.7"


@pytest.fixture
def config(sqlite_database_url: str, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(folder=tmp_path, url=sqlite_database_url))
    return path


@pytest.fixture
def held(sqlite_database_url: str) -> Iterator[Database]:
    """A database with a study of two patients, which is held."""
    with closing(open_database(sqlite_database_url)) as database:
        with database.sessions.begin() as session:
            receive(session, header("1.2.3.4.1", patient="one patient"))
            foreign = header("9.8.7.1", series=FOREIGN, patient="another patient")
            receive(session, foreign)
            hold(session, STUDY, "two patients")
        yield database


def run(config: Path, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run_here(verb, "--config", str(config), *words)


def is_held(database: Database) -> bool:
    with database.reading.begin() as session:
        return bool(held_studies(session))


def test_release_refuses_two_patients_and_says_which_series_name_whom(
    config: Path, held: Database
) -> None:
    refused = run(config, "release", STUDY)

    said = refused.stderr
    assert refused.returncode == 1
    assert f"series {SERIES} names patient 1" in said
    assert f"lumbar-node set-aside {STUDY} SERIES_UID" in said
    assert f"lumbar-node release {STUDY} --one-patient" in said
    assert is_held(held)


def test_release_of_two_patients_needs_the_word_that_they_are_one(
    config: Path, held: Database
) -> None:
    assert run(config, "release", STUDY, "--one-patient").returncode == 0
    assert not is_held(held)


def test_a_series_is_set_aside_and_taken_back(config: Path, held: Database) -> None:
    aside = run(config, "set-aside", STUDY, FOREIGN)
    released = run(config, "release", STUDY)
    back = run(config, "set-aside", STUDY, FOREIGN, "--undo")
    again = run(config, "set-aside", STUDY, FOREIGN, "--undo")

    statuses = [it.returncode for it in (aside, released, back, again)]
    assert statuses == [0, 0, 0, 1]
    left_out = f"1 objects of series {FOREIGN} are left out of {STUDY}"
    assert aside.stdout.startswith(left_out)
    assert back.stdout.startswith(f"1 objects of series {FOREIGN} belong to {STUDY}")
    with held.reading.begin() as session:
        assert is_quiet(session)
        assert jobs.get(session, STUDY) is None


def test_a_failure_that_a_person_has_seen_to_can_be_closed(
    config: Path, held: Database
) -> None:
    with held.sessions.begin() as session:
        raise_alarm(session, AlarmKind.JOB_FAILED, STUDY, "out of memory")

    closed = run(config, "acknowledge", "job_failed", STUDY)

    assert closed.returncode == 0
    with held.reading.begin() as session:
        kinds = {alarm.kind for alarm in open_alarms(session)}
    assert kinds == {AlarmKind.STUDY_HELD}
