"""Boot a Debian, install the node in it by the handbook, and write down what happens.

Run as root: `python -m tests.systemd --site-packages FOLDER --log docs/systemd-log.md`.
"""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.systemd import story
from tests.systemd.machine import StepFailed, booted, bootstrap

REPOSITORY = Path(__file__).parents[2]
STUDY = REPOSITORY / "tests/data/hitachi/t2_ax"
MIGRATIONS = "storage/migrations/versions"
PREFACE = """\
# The units under a real systemd

Written by `python -m tests.systemd`; [reliability.md](reliability.md) says how. A
Debian 12 of its own, booted in namespaces with systemd as process 1 and no network;
scanner and PACS are DCMTK's storescu and storescp inside it. The Python libraries are
mounted from outside, because the machine cannot download them; `make install` and
everything else is as docs/operations.md has it. Memory and task limits are not enforced
there: the machine may not change control groups.

The bundle is the shipped one, which learned from a phantom: its grades say nothing
about a patient.
"""


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # power off, unmount
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments = _arguments()
    bootstrap(arguments.base, arguments.mirror)
    earlier, later = (
        arguments.earlier or _before_last_migration(),
        _git("rev-parse", "HEAD"),
    )
    with (
        tempfile.TemporaryDirectory(prefix="systemd-") as work,
        booted(arguments.base, Path(work), arguments.site_packages) as machine,
    ):
        told = story.Story(machine)
        try:
            story.prepare(machine, REPOSITORY, earlier, STUDY)
            story.tell(told, later)
        except StepFailed as failed:
            print("\n".join(told.log.lines), failed, sep="\n")
            print(machine.run("journalctl --no-pager --lines=60", check=False))
            return 1
    text = "\n".join([PREFACE, *told.log.lines]).rstrip() + "\n"
    arguments.log.write_text(text, encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.systemd")
    parser.description = __doc__
    parser.add_argument(
        "--base", type=Path, required=True, help="kept for the next time"
    )
    parser.add_argument("--mirror", default="http://deb.debian.org/debian")
    parser.add_argument("--site-packages", type=Path, required=True)
    parser.add_argument("--earlier", help="the commit to upgrade from")
    parser.add_argument("--log", type=Path, required=True)
    return parser.parse_args()


def _before_last_migration() -> str:
    """Return the last commit whose schema is older than today's."""
    newest = sorted((REPOSITORY / MIGRATIONS).glob("[0-9]*.py"))[-1]
    path = str(newest.relative_to(REPOSITORY))
    added = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", path)
    return _git("rev-parse", f"{added}^")


def _git(*words: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *words]
    return subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
