"""What happens to an installed node, step by step, by the commands of the handbook."""

from __future__ import annotations

import logging
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.systemd.machine import Machine, StepFailed

log = logging.getLogger(__name__)

NODE = "sudo -u lumbar-node /opt/lumbar-node/venv/bin/lumbar-node"
CONFIG = "/etc/lumbar-node/config.toml"
SQLITE = "sqlite3 /var/lib/lumbar-node/node.sqlite"
RUNNING = "sqlite3 /var/lib/lumbar-node/node.sqlite 'SELECT state FROM jobs'"
SCHEMA = "sqlite3 /var/lib/lumbar-node/node.sqlite 'SELECT * FROM alembic_version'"
RECEIVER, WORKER = "lumbar-node-receiver", "lumbar-node-worker"
BOTH = f"{RECEIVER} {WORKER}"
STATE = "--property=ActiveState,SubState,Result,NRestarts,StatusText,ExecMainStatus"
STUDY_GRADED_SECONDS = 600.0
PROGRESS = re.compile("Updating files: +[0-9]+%")


@dataclass(slots=True)
class Log:
    """What was done and seen, as Markdown."""

    lines: list[str] = field(default_factory=list)

    def step(self, title: str) -> None:
        log.info("%s", title)
        self.lines += ["", f"## {title}", ""]

    def say(self, sentence: str) -> None:
        self.lines += [sentence, ""]

    def show(self, command: str, printed: str) -> None:
        lines = [line for line in printed.splitlines() if not PROGRESS.match(line)]
        self.lines += ["```", f"# {command}", *lines, "```", ""]


@dataclass(slots=True)
class Story:
    """One machine, one log, and the commands that make up the steps."""

    machine: Machine
    log: Log = field(default_factory=Log)

    def do(self, command: str, *, check: bool = True, show: bool = True) -> str:
        printed = self.machine.run(command, check=check)
        if show:
            self.log.show(command, printed)
        return printed

    def expect(self, what: str, found: str, pattern: str) -> None:
        if not re.search(pattern, found):
            raise StepFailed(f"{what}: expected {pattern!r} in\n{found}")
        self.log.say(f"As expected: {what}.")

    def send(self, folder: str) -> None:
        self.do(
            "storescu --propose-jls-lossless --required +sd -aet SCANNER "
            f"-aec LUMBARNODE 127.0.0.1 11112 {folder}"
        )

    def wait_for_reports(self, count: int) -> None:
        """Wait until the PACS holds so many objects of ours."""
        counted = f"test $(ls /srv/pacs | wc -l) -ge {count}"
        self.machine.wait(counted, STUDY_GRADED_SECONDS)
        self.log.say(f"The PACS holds {count} objects of ours.")


def prepare(machine: Machine, repository: Path, earlier: str, study: Path) -> None:
    """Put what comes from outside into the machine: the program and a study."""
    _git("clone", "--quiet", "--bare", str(repository), f"{machine.root}/srv/node.git")
    bare = f"--git-dir={machine.root}/srv/node.git"
    _git(bare, "update-ref", "refs/heads/released", earlier)
    subprocess.run(["cp", "-r", study, machine.root / "srv/study"], check=True)
    machine.run("mkdir -p /srv/pacs /backup && chmod 777 /srv/pacs")
    machine.run(
        "systemd-run --quiet --unit=pacs storescp --promiscuous -aet PACS "
        "--output-directory /srv/pacs 4242"
    )


def release(machine: Machine, commit: str) -> None:
    """Let `git pull` inside the machine find a later version."""
    bare = f"--git-dir={machine.root}/srv/node.git"
    _git(bare, "update-ref", "refs/heads/released", commit)


def _git(*words: str) -> None:
    subprocess.run(["git", *words], check=True)


def install(story: Story) -> None:
    story.log.step("Install the earlier version")
    story.do("git clone --quiet --branch released /srv/node.git lumbar-node")
    story.do("cd lumbar-node && make --quiet install")
    configure(story)
    story.do(f"{NODE} migrate")
    story.do(f"{NODE} check-config")
    _let_the_earlier_receiver_start(story)


def _let_the_earlier_receiver_start(story: Story) -> None:
    """Mend a unit of before this trial: it killed the receiver as numpy loaded."""
    unit = f"/etc/systemd/system/{RECEIVER}.service"
    if "SystemCallErrorNumber" in story.machine.run(f"cat {unit}"):
        return
    story.log.say("The earlier receiver's unit needs a drop-in, or it is killed:")
    story.do(
        f"mkdir {unit}.d && printf '[Service]\\nSystemCallErrorNumber=EPERM\\n' "
        f"> {unit}.d/mend.conf && systemctl daemon-reload"
    )


def configure(story: Story) -> None:
    """Take the version's own example and edit it as a test system would."""
    edits = (
        "-e 's/^accept_phantom_bundle = false/accept_phantom_bundle = true/' "
        "-e 's/^quiet_seconds = .*/quiet_seconds = 3.0/'"
    )
    story.do(
        "install -o root -g lumbar-node -m 640 lumbar-node/config.toml "
        f"{CONFIG} && sed -i {edits} {CONFIG}"
    )


def start(story: Story) -> None:
    story.log.step("Ready by notification")
    story.do(f"systemctl enable --now {BOTH}")
    story.log.say("`systemctl` returned: both units said READY (Type=notify).")
    shown = story.do(f"systemctl show {STATE} {BOTH}")
    story.expect("both are active", shown, r"(?s)running.*running")
    story.expect("the receiver says where it listens", shown, "LUMBARNODE listens on")
    story.expect("the worker says with what it grades", shown, "grading with ")
    status = story.do(f"systemctl status --no-pager --lines=3 {BOTH}")
    story.expect("`systemctl status` tells it too", status, 'Status: ".*listens on')


def grade(story: Story) -> None:
    story.log.step("A study is received, graded and delivered")
    story.send("/srv/study")
    story.wait_for_reports(2)
    story.machine.wait(f"{NODE} status | grep '2 delivered'", 60)
    story.do(f"{NODE} status")


def hang(story: Story) -> None:
    story.log.step("Killed by the watchdog when hung, and started again")
    story.log.say("Both processes are stopped in their tracks, as if they hung.")
    story.do(
        f"for unit in {BOTH}; do kill -STOP "
        "$(systemctl show --value --property=MainPID $unit); done"
    )
    for unit in (RECEIVER, WORKER):
        again = f"systemctl show --property=NRestarts {unit} | grep '=1'"
        story.machine.wait(again, 400)
        story.machine.wait(f"systemctl is-active {unit}", 300)
    shown = story.do(f"systemctl show {STATE} {BOTH}")
    story.expect("both run again", shown, r"(?s)running.*running")
    said = story.do(
        "journalctl --no-pager --output=cat --identifier=systemd --grep=Watchdog"
    )
    story.expect("by the watchdog", said, r"(?s)receiver.*Watchdog|Watchdog.*receiver")
    story.expect("the worker too", said, r"(?s)worker.*Watchdog|Watchdog.*worker")
    story.send("/srv/study")


def stop(story: Story) -> None:
    story.log.step("Stopped within its time, the running study finished")
    story.do(_another_study("/srv/second", "2.25.20261129"))
    story.send("/srv/second")
    story.machine.wait(f"{RUNNING} | grep running", STUDY_GRADED_SECONDS)
    story.log.say("The second study is being graded now.")
    begun = time.monotonic()
    story.do(f"systemctl stop {WORKER}")
    took = time.monotonic() - begun
    shown = story.do(f"systemctl show {STATE} {WORKER}")
    story.expect(f"it ended well, after {took:.0f} s", shown, "Result=success")
    status = story.do(f"{NODE} status")
    story.expect("the study was finished", status, "0 running, 2 done, 0 failed")
    story.do(f"systemctl start {WORKER}")
    story.wait_for_reports(4)


def _another_study(folder: str, uid: str) -> str:
    """Return a command that copies the study under other UIDs."""
    return (
        f"cp -r /srv/study {folder} && find {folder} -type f | while read file; do "
        f"dcmodify --no-backup --gen-inst-uid -m StudyInstanceUID={uid} "
        f'-m SeriesInstanceUID={uid}.1 "$file"; done'
    )


def upgrade(story: Story, commit: str) -> None:
    story.log.step("Upgraded, with a migration")
    release(story.machine, commit)
    before = story.do(SCHEMA)
    story.do(f"systemctl stop {WORKER}")
    story.do(f"systemctl stop {RECEIVER}")
    back_up(story)
    story.do("cd lumbar-node && git pull --quiet && make --quiet install")
    story.do(
        f"rm -rf /etc/systemd/system/{RECEIVER}.service.d; systemctl daemon-reload"
    )
    configure(story)
    story.log.say("Started too early, it says what is missing and is not tried again:")
    story.do(f"systemctl start {RECEIVER}", check=False)
    shown = story.do(f"systemctl show {STATE} {RECEIVER}")
    story.expect("status 78, no restart", shown, "(?s)NRestarts=0.*ExecMainStatus=78")
    said = story.do(f"journalctl --no-pager --output=cat --lines=20 --unit={RECEIVER}")
    story.expect("the cure is named", said, "run `lumbar-node migrate`")
    story.do(f"{NODE} migrate")
    after = story.do(SCHEMA)
    story.expect("the schema has moved", after, f"^(?!{before}$)")
    story.do(f"{NODE} check-config")
    story.do(f"systemctl start {BOTH}")
    status = story.do(f"{NODE} status")
    story.expect("everything is still there", status, "2 done, 0 failed")


def back_up(story: Story) -> None:
    story.do(f"{SQLITE} \"VACUUM INTO '/backup/node.sqlite'\"")
    story.do(
        "rsync -a /var/lib/lumbar-node/received /var/lib/lumbar-node/produced "
        "/var/lib/lumbar-node/installation-id /etc/lumbar-node /backup/"
    )


def restore(story: Story) -> None:
    story.log.step("Restored from a backup")
    story.log.say("A backup while both services run, then a third study, then a loss.")
    story.do("rm -rf /backup/*")
    back_up(story)
    story.do(_another_study("/srv/third", "2.25.20261130"))
    story.send("/srv/third")
    story.wait_for_reports(6)
    story.do(f"systemctl stop {BOTH}")
    story.do("rm -rf /var/lib/lumbar-node/*")
    story.do("cp /backup/node.sqlite /var/lib/lumbar-node/")
    story.do(
        "rsync -a /backup/received /backup/produced /backup/installation-id "
        "/var/lib/lumbar-node/"
    )
    story.do("chown -R lumbar-node: /var/lib/lumbar-node")
    story.do(f"{NODE} migrate && {NODE} check-config")
    story.do(f"systemctl start {BOTH}")
    status = story.do(f"{NODE} status")
    story.expect("the state of the backup", status, "2 done, 0 failed")
    story.log.say("The PACS sends again what it sent since the backup:")
    story.send("/srv/third")
    delivered = f"{NODE} status | grep '6 delivered'"
    story.machine.wait(delivered, STUDY_GRADED_SECONDS)
    status = story.do(f"{NODE} status")
    story.expect("the third study is graded again", status, "3 done, 0 failed")
    held = story.do("ls /srv/pacs | wc -l")
    story.expect("its objects have the UIDs that they had before", held, "^6$")


def harden(story: Story) -> None:
    story.log.step("Hardened")
    for unit, most in ((RECEIVER, 2.5), (WORKER, 4.0)):
        said = story.do(
            f"systemd-analyze security --no-pager {unit} | grep -E '^✗|Overall'"
        )
        found = re.search(r"exposure level .*: ([0-9.]+)", said)
        if found is None or float(found[1]) > most:
            raise StepFailed(f"{unit} is exposed by more than {most}:\n{said}")


def tell(story: Story, later: str) -> None:
    """Go through all of it."""
    steps: tuple[Callable[[], None], ...] = (
        lambda: install(story),
        lambda: start(story),
        lambda: grade(story),
        lambda: hang(story),
        lambda: stop(story),
        lambda: upgrade(story, later),
        lambda: restore(story),
        lambda: harden(story),
    )
    story.log.say("From the last version with an older schema to the one of this log.")
    for step in steps:
        step()
