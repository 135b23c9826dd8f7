"""Every verb, and every mistake an administrator can make, with its cure."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from storage.alarms import raise_alarm
from storage.database import open_database
from storage.installation import LOCK_NAME
from storage.outbox import Addressee
from storage.states import AlarmKind
from tests.end_to_end.processes import NodeProcesses, node_processes, run_here
from tests.storage.builders import graded

pytestmark = pytest.mark.model

BUNDLE = Path(__file__).parents[2] / "grading" / "bundles" / "phantom"
EX_CONFIG = 78


def lumbar_node(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicom_node", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def processes(sqlite_database_url: str, tmp_path: Path) -> NodeProcesses:
    with node_processes(tmp_path / "node", sqlite_database_url) as written:
        return written


def rewrite(processes: NodeProcesses, old: str, new: str) -> None:
    text = processes.config.read_text()
    assert old in text
    processes.config.write_text(text.replace(old, new))


def test_an_unknown_key_ends_with_78_and_names_file_key_and_cure(
    processes: NodeProcesses,
) -> None:
    rewrite(processes, "quiet_seconds", "quiet_secs")

    done = processes.run("receive")

    assert done.returncode == EX_CONFIG
    assert str(processes.config) in done.stderr
    assert "receiver.quiet_secs: unknown key" in done.stderr


def test_a_missing_bundle_ends_with_78_and_names_it(processes: NodeProcesses) -> None:
    rewrite(processes, "[model]", '[model]\nbundle = "/nowhere/bundle"')

    done = processes.run_here("check-config")

    assert done.returncode == EX_CONFIG
    assert "/nowhere/bundle" in done.stderr


def test_a_bundle_whose_weights_were_changed_is_refused(
    processes: NodeProcesses, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(BUNDLE, damaged)
    weights = sorted(damaged.glob("*.safetensors"))[0]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    rewrite(processes, "[model]", f'[model]\nbundle = "{damaged}"')

    done = processes.run_here("check-config")

    assert done.returncode == EX_CONFIG
    assert weights.name in done.stderr
    assert "SHA-256" in done.stderr


def test_a_phantom_bundle_is_refused_unless_the_configuration_accepts_it(
    processes: NodeProcesses,
) -> None:
    rewrite(processes, "accept_phantom_bundle = true", "accept_phantom_bundle = false")

    done = processes.run("work")

    assert done.returncode == EX_CONFIG
    assert "accept_phantom_bundle = true" in done.stderr


def test_an_older_schema_is_refused_and_migrate_mends_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite"
    with node_processes(tmp_path / "node", url) as processes:
        before = processes.run_here("status")
        processes.run_here("migrate")
        after = processes.run_here("status")

    assert before.returncode == EX_CONFIG
    assert "lumbar-node migrate" in before.stderr
    assert after.returncode == 0


def test_migrate_is_refused_while_a_process_of_the_node_works(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite"
    with node_processes(tmp_path / "node", url) as processes:
        with (tmp_path / "node" / "data" / LOCK_NAME).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            refused = processes.run("migrate")
        done = processes.run("migrate")

    assert refused.returncode == EX_CONFIG
    assert "stop lumbar-node-worker and lumbar-node-receiver" in refused.stderr
    assert done.returncode == 0


def test_what_waits_for_a_destination_is_withdrawn_once_it_is_not_configured(
    processes: NodeProcesses,
) -> None:
    with (
        closing(open_database(processes.url)) as database,
        database.sessions.begin() as session,
    ):
        graded(session, destinations=(Addressee("old", shadow=False),))

    done = processes.run("withdraw", "old")

    assert done.stdout == "1 objects for old are withdrawn\n"
    assert done.returncode == 0
    assert processes.run("withdraw", "old").returncode == 1


def test_check_config_tries_everything(processes: NodeProcesses) -> None:
    done = processes.run_here("check-config")

    assert done.returncode == 0
    assert "schema up to date" in done.stdout
    assert "basis phantom" in done.stdout


def test_a_node_that_has_graded_nothing_has_nothing_to_export(
    processes: NodeProcesses, tmp_path: Path
) -> None:
    done = processes.run_here("export-grades", str(tmp_path / "grades.csv"))

    assert done.returncode == 1
    assert "no study has been graded" in done.stderr
    assert not (tmp_path / "grades.csv").exists()


def test_status_of_an_idle_node_asks_for_nobody(processes: NodeProcesses) -> None:
    text = processes.run_here("status")
    machine = processes.run_here("status", "--json", "--check")

    assert "nothing for a person to do" in text.stdout
    assert machine.returncode == 0
    assert json.loads(machine.stdout)["complaints"] == []


def test_regrade_of_an_unknown_study_says_so(processes: NodeProcesses) -> None:
    done = processes.run_here("regrade", "2.25.404")

    assert done.returncode == 1
    assert "2.25.404" in done.stderr


def test_an_alarm_that_a_person_has_seen_to_can_be_closed(
    processes: NodeProcesses,
) -> None:
    with (
        closing(open_database(processes.url)) as database,
        database.sessions.begin() as session,
    ):
        raise_alarm(session, AlarmKind.QUARANTINED, None, "a file is damaged")
    alarmed = processes.run_here("status", "--check")

    closed = processes.run_here("acknowledge", "quarantined")

    assert alarmed.returncode == 1
    assert "quarantined: a file is damaged" in alarmed.stdout
    assert closed.returncode == 0
    assert processes.run_here("status", "--check").returncode == 0


def test_grade_of_the_real_study_says_first_what_it_is(
    hitachi_files: list[Path], tmp_path: Path
) -> None:
    folder = hitachi_files[0].parents[1]

    done = lumbar_node("grade", folder, "--accept-phantom-bundle", "--out", tmp_path)

    assert done.returncode == 0, done.stderr
    assert "phantom" in done.stdout.splitlines()[0]
    assert "per disc level\n  L1/L2" in done.stdout
    assert "\n  L5/S1" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "picture.dcm",
        "report.dcm",
    ]


def test_grade_of_a_folder_with_bad_files_names_them_and_grades_the_rest(
    hitachi_files: list[Path], tmp_path: Path
) -> None:
    for path in hitachi_files:
        if path.parent.name == "t2_ax":
            shutil.copy(path, tmp_path)
    (tmp_path / "notes.dcm").write_text("this is a text file\n" * 20)
    whole = (tmp_path / "D0000022.dcm").read_bytes()
    (tmp_path / "D0000022.dcm").write_bytes(whole[: len(whole) // 2])

    done = run_here("grade", str(tmp_path), "--accept-phantom-bundle", "--json")

    assert done.returncode == 0, done.stderr
    assert "notes.dcm: not a DICOM file" in done.stderr
    graded = json.loads(done.stdout)
    assert len(graded["slices"]) == 16


def test_grade_of_nothing_says_so(tmp_path: Path) -> None:
    done = run_here("grade", str(tmp_path), "--accept-phantom-bundle")

    assert done.returncode == 1
    assert "holds no readable DICOM file" in done.stderr


def test_the_receiver_never_loads_torch() -> None:
    watch = (
        "import sys, dicom_node.receiver, dicom_node.service, dicom_node.__main__;"
        "sys.exit('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", watch], check=False)

    assert done.returncode == 0
