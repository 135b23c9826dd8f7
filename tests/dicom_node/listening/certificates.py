"""Certificates made with the very commands of the manual."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from dicom_node.config import TlsSection

MANUAL = Path(__file__).parents[3] / "docs" / "operations.md"
COMMANDS = re.compile(r"```\n(# 1\. the authority.*?)```", re.S)


def make(folder: Path) -> TlsSection:
    """Run the manual's section on encryption in a folder, for this machine."""
    (commands,) = COMMANDS.findall(MANUAL.read_text(encoding="utf-8"))
    here = commands.replace("lumbar-node.example", "localhost")
    here = here.replace("192.0.2.20", "127.0.0.1")
    subprocess.run(["sh", "-euc", here], cwd=folder, check=True, capture_output=True)
    (folder / "node.key").chmod(0o640)
    return TlsSection(folder / "node.crt", folder / "node.key", folder / "ca.crt")
