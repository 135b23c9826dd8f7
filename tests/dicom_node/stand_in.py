"""A process that behaves as a study tells it to; `tests` run it as a grading process.

It imports next to nothing, so that starting it many times is cheap.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any

import msgspec

from dicom_node import children
from dicom_node.children import Link

MODEL = {"name": "stand-in", "version": "1", "sha256": "ab", "basis": "phantom"}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Do what the study's UID, or the configuration, says."""
    if question["type"] == "SetUp":
        if question["config"] == b"unfit":
            reason = "card.json is missing"
            return {"type": "Unfit", "reason": reason, "configured": True}
        if question["config"] == b"dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if question["config"] == b"deaf":
            Link.receive = dies_before_it_hears  # type: ignore[method-assign, assignment]
        return {"type": "Ready", "model": MODEL, "engine": "nothing"}
    behaviour = question["study_instance_uid"]
    if behaviour == "hangs":
        time.sleep(3600)
    if behaviour == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "leaves":
        os._exit(3)
    if behaviour == "babbles":
        return {"type": "Made", "grades": "good"}
    if behaviour in ("Broke", "Interrupted"):
        return {"type": behaviour, "reason": "RuntimeError at forward:12"}
    return {"type": "NotOurs", "reason": f"process {os.getpid()}"}


def dies_before_it_hears(link: Link, until: float | None = None) -> bytes:
    """End when a question has come, and before anything of it is read."""
    select.select([link.connection], [], [])
    os._exit(3)


if __name__ == "__main__":
    children.serve(children.parent(), msgspec.msgpack.Decoder(dict), answer)
