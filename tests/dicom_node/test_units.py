"""The systemd units: sound by systemd's own word, and of one mind with the code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dicom_node import config, grading_process, service
from tests.peers import require_peer

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("*.service"))
EVERY_UNIT = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def value(unit: Path, key: str) -> str:
    (found,) = re.findall(rf"^{key}=(.*)$", unit.read_text(), re.M)
    return str(found)


def test_each_process_has_a_unit() -> None:
    verbs = [value(unit, "ExecStart").split()[1] for unit in UNITS]

    assert sorted(verbs) == ["receive", "work"]


@EVERY_UNIT
def test_systemd_finds_nothing_to_complain_about(unit: Path, tmp_path: Path) -> None:
    (analyze,) = require_peer("systemd", "systemd-analyze")
    program = shutil.which("true")
    assert program is not None
    # Our program and our manual are not installed here; everything else is.
    text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program}", unit.read_text())
    copy = tmp_path / unit.name
    copy.write_text(text)

    ended = subprocess.run(
        [analyze, "verify", copy], capture_output=True, text=True, check=False
    )

    complaints = [line for line in ended.stderr.splitlines() if unit.name in line]
    assert complaints == []
    assert ended.returncode == 0, ended.stderr


@EVERY_UNIT
def test_a_wrong_configuration_is_not_tried_again(unit: Path) -> None:
    assert value(unit, "RestartPreventExitStatus") == str(config.EXIT_STATUS)


@EVERY_UNIT
def test_a_unit_is_watched_and_hardened(unit: Path) -> None:
    assert value(unit, "Type") == "notify"
    assert int(value(unit, "WatchdogSec")) > 0
    assert value(unit, "NoNewPrivileges") == "yes"
    assert value(unit, "ProtectSystem") == "strict"
    assert value(unit, "CapabilityBoundingSet") == ""
    assert value(unit, "UMask") == "0077"
    # Without it numpy's import is the end of a process that may not call mbind.
    assert value(unit, "SystemCallErrorNumber") == "EPERM"


@EVERY_UNIT
def test_a_unit_is_exposed_little_and_says_why(unit: Path) -> None:
    (analyze,) = require_peer("systemd", "systemd-analyze")
    most = {"receive": 2.5, "work": 4.0}[value(unit, "ExecStart").split()[1]]

    ended = subprocess.run(
        [analyze, "security", "--offline=true", "--json=short", unit],
        capture_output=True,
        check=True,
    )

    exposed = [item["name"] for item in json.loads(ended.stdout) if item["exposure"]]
    explained = re.findall(r"(?m)^# (\S+=\S*): ", unit.read_text())
    assert sorted(explained) == sorted(exposed)
    threshold = f"--threshold={most * 10:.0f}"
    subprocess.run(
        [analyze, "security", "--offline=true", threshold, unit],
        capture_output=True,
        check=True,
    )


def test_the_worker_is_left_the_time_that_its_study_may_take() -> None:
    (unit,) = [unit for unit in UNITS if " work " in value(unit, "ExecStart")]

    assert value(unit, "TimeoutStopSec") == "10min"
    assert service.CHILD_STOP_SECONDS == 600.0


def test_a_study_that_eats_all_memory_ends_its_process_and_not_the_service() -> None:
    (unit,) = [unit for unit in UNITS if " work " in value(unit, "ExecStart")]

    assert value(unit, "OOMPolicy") == "continue"


def test_a_tick_that_grades_is_never_taken_for_one_that_hangs() -> None:
    longest = config.MAX_STUDY_SECONDS + grading_process.START_SECONDS

    assert longest < service.MAX_TICK_SECONDS
