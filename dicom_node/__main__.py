"""The command line ``lumbar-node``: words in, a verb, an exit status out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dicom_node import config as configuration
from dicom_node import logs
from dicom_node.errors import ConfigError, NodeError
from dicom_node.verbs import checking, copying, deciding, opening, receiving, working
from grading.errors import BundleError, EngineError, GradingError
from storage.errors import NotOurs, SchemaOutOfDate, StorageError

DEFAULT_CONFIG = Path("/etc/lumbar-node/config.toml")
FAILED = 1
OURS_ONLY = 0o077
"""Whatever a process of the node makes, SQLite's own files too, is its user's alone."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    arguments = _parser().parse_args(words)
    logs.configure()
    before = os.umask(OURS_ONLY)
    try:
        status: int = arguments.run(arguments)
    except (
        ConfigError,
        BundleError,
        EngineError,
        SchemaOutOfDate,
        NotOurs,
    ) as error:
        print(f"lumbar-node: {error}", file=sys.stderr)
        return configuration.EXIT_STATUS
    except (NodeError, StorageError, GradingError) as error:
        print(f"lumbar-node: {error}", file=sys.stderr)
        return FAILED
    finally:
        os.umask(before)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lumbar-node",
        description="Grade lumbar MRI studies that a PACS sends, and report back.",
    )
    parser.add_argument("--version", action="version", version=opening.own_version())
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")

    def add(name: str, run: Callable[..., int], does: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=does, description=does, parents=[common])
        verb.set_defaults(run=run)
        return verb

    add("serve", receiving.serve, "receive and work as two processes, without systemd")
    add("receive", receiving.receive, "listen for images and keep them")
    add("work", working.work, "index, grade and send")
    add("migrate", checking.migrate, "bring the database's schema up to date")
    add("check-config", checking.check_config, "try everything the configuration names")
    status = add("status", checking.status, "show studies, jobs, deliveries and alarms")
    status.add_argument("--json", action="store_true")
    status.add_argument(
        "--check", action="store_true", help="exit 1 if a person must act"
    )
    for name, run, does in (
        ("regrade", deciding.regrade, "open a new revision of a study"),
        ("resend", deciding.resend, "send a study's existing output again"),
    ):
        add(name, run, does).add_argument("study_instance_uid", metavar="STUDY_UID")
    release = add("release", deciding.release, "say that a held study is in order")
    release.add_argument("study_instance_uid", metavar="STUDY_UID")
    release.add_argument(
        "--one-patient",
        action="store_true",
        help="be sure that the different patients whom its images name are one person",
    )
    set_aside = add("set-aside", deciding.set_aside, "leave a series out of its study")
    set_aside.add_argument("study_instance_uid", metavar="STUDY_UID")
    set_aside.add_argument("series_instance_uid", metavar="SERIES_UID")
    set_aside.add_argument("--undo", action="store_true", help="take it back")
    withdraw = add(
        "withdraw",
        deciding.withdraw,
        "end what waits for a destination that is no longer configured",
    )
    withdraw.add_argument("destination", metavar="DESTINATION")
    acknowledge = add(
        "acknowledge", deciding.acknowledge, "close alarms that a person has seen to"
    )
    acknowledge.add_argument("kind", choices=deciding.ACKNOWLEDGED)
    acknowledge.add_argument("study_instance_uid", metavar="STUDY_UID", nargs="?")
    grade = add("grade", copying.grade, "grade a folder: no network, no database")
    grade.add_argument("folder", type=Path, metavar="FOLDER")
    grade.add_argument("--json", action="store_true")
    grade.add_argument(
        "--out", type=Path, metavar="DIR", help="write SR and picture here"
    )
    grade.add_argument("--bundle", type=Path, metavar="DIR")
    grade.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="JSON of boxes that a person drew (default: boxes.json in FOLDER)",
    )
    grade.add_argument("--accept-phantom-bundle", action="store_true")
    backup = add("backup", copying.backup, "copy a running node's database and files")
    backup.add_argument("target", type=Path, metavar="TARGET")
    export = add(
        "export-grades",
        copying.export_grades,
        "write all grades as a table for evaluation",
    )
    export.add_argument("csv", type=Path, metavar="CSV")
    export.add_argument(
        "--demographics", action="store_true", help="with each patient's sex and age"
    )
    # No help: it stands in no list of verbs.
    verbs.add_parser("grading-process").set_defaults(run=working.grading_process)
    demo = add("demo", copying.demo, "show the whole path on this machine")
    demo.add_argument("--study", type=Path, metavar="FOLDER")
    demo.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
