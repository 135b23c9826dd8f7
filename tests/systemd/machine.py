"""A Debian in a folder, booted with systemd as its process 1."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-venv",
    "make",
    "git",
    "sqlite3",
    "rsync",
    "sudo",
    "dcmtk",
    "ca-certificates",
)
"""What docs/operations.md asks for, and DCMTK as scanner and PACS."""
SITE_PACKAGES = "/opt/site-packages"
WHEELS = "/opt/wheels"
ENVIRONMENT = "/opt/lumbar-node/venv"
BOOTED_WITHIN_SECONDS = 180.0


class StepFailed(Exception):
    """A command inside the machine did not do what the story needs."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted machine; commands run beside its process 1, as root."""

    leader: int
    root: Path

    def run(self, command: str, *, check: bool = True) -> str:
        """Run a shell command and return what it printed, errors included."""
        enter = ["nsenter", "--target", str(self.leader), "--all", "--wdns=/root"]
        environment = ["env", "-i", "HOME=/root", "LC_ALL=C.UTF-8", f"PATH={_PATH}"]
        ended = subprocess.run(
            [*enter, *environment, "sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and ended.returncode:
            raise StepFailed(f"{command}\nended {ended.returncode}:\n{ended.stdout}")
        return ended.stdout.strip()

    def wait(self, command: str, seconds: float) -> None:
        """Wait until a shell command succeeds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.run(f"{command} >/dev/null 2>&1 && echo yes", check=False) == "yes":
                return
            time.sleep(1)
        raise StepFailed(f"waited {seconds:.0f} s in vain for: {command}")


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def bootstrap(base: Path, mirror: str) -> None:
    """Put a Debian into a folder, unless it is there already.

    The machine will have no network. Its node's environment therefore finds the
    libraries of another one, and pip the package that it builds with.
    """
    if (base / WHEELS[1:]).exists():
        return
    include = f"--include={','.join(PACKAGES)}"
    command = ["debootstrap", "--variant=minbase", include, "bookworm"]
    if not (base / "usr/bin/storescu").exists():
        subprocess.run([*command, base, mirror], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["chroot", base, "python3", "-m", "venv", ENVIRONMENT], check=True)
    [packages] = (base / ENVIRONMENT[1:]).glob("lib/python3.*/site-packages")
    (packages / "libraries.pth").write_text(f"{SITE_PACKAGES}\n")
    settings = f"[global]\nno-index = true\nfind-links = {WHEELS}\n"
    (base / "etc/pip.conf").write_text(settings)
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    wheels = ["--dest", f"{base}{WHEELS}", "setuptools>=77", "wheel"]
    subprocess.run([*download, *wheels], check=True)


@contextmanager
def booted(base: Path, work: Path, site_packages: Path) -> Iterator[Machine]:
    """Boot a machine whose changes to ``base`` go below ``work`` and end with it.

    ``site_packages`` lies in the machine read-only, since it has no network to
    install from.
    """
    root = work / "root"
    for folder in (root, work / "changes", work / "overlay"):
        folder.mkdir()
    layers = f"lowerdir={base},upperdir={work / 'changes'},workdir={work / 'overlay'}"
    subprocess.run(
        ["mount", "-t", "overlay", "-o", layers, "overlay", root], check=True
    )
    (root / SITE_PACKAGES[1:]).mkdir(parents=True, exist_ok=True)
    (root / "etc/hostname").write_text("node\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost node\n")
    command = [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={root}",
        "--machine=node",
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--console=pipe",
        "--resolv-conf=off",
        "--timezone=off",
        f"--bind-ro={site_packages}:{SITE_PACKAGES}",
    ]
    with (work / "console").open("wb") as console:
        spawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=console
        )
    try:
        machine = Machine(_leader(spawn), root)
        machine.wait("systemctl is-system-running | grep -E 'running|degraded'", 180)
        yield machine
    finally:
        spawn.terminate()  # nspawn asks the machine to power off
        spawn.wait(BOOTED_WITHIN_SECONDS)
        subprocess.run(["umount", "--lazy", root], check=True)


def _leader(spawn: subprocess.Popen[bytes]) -> int:
    """Return the machine's process 1, by its number outside."""
    children = Path(f"/proc/{spawn.pid}/task/{spawn.pid}/children")
    deadline = time.monotonic() + BOOTED_WITHIN_SECONDS
    while time.monotonic() < deadline and spawn.poll() is None:
        for number in children.read_text().split():
            if Path(f"/proc/{number}/comm").read_text().strip() == "systemd":
                return int(number)
        time.sleep(0.2)
    raise StepFailed("the machine does not boot; see its console")
