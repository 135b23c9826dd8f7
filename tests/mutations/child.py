"""The child that runs cases; apart, because a spawned process imports its function."""

from __future__ import annotations

import resource
import tempfile
import warnings
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

from tests.mutations.case import bench, quietly

MAX_BYTES = 16 << 30
"""Address space of the child; loading the network's libraries takes half of it."""


def serve(
    pipe: Connection, seed: int, numbers: Sequence[int], scratch_name: str
) -> None:
    """Run cases one after the other, with a network that nobody trained."""
    warnings.simplefilter("ignore")
    from dicom_node.__main__ import main as lumbar_node
    from grading.grader import Grader
    from tests.grading.tiny_bundle import tiny_bundle

    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    with tempfile.TemporaryDirectory() as elsewhere:
        bundle = tiny_bundle(Path(elsewhere) / "tiny")
    grader = Grader(bundle)

    def grade(folder: Path, out: Path) -> str:
        words = ["grade", str(folder), "--out", str(out), "--accept-phantom-bundle"]
        return quietly(lambda: lumbar_node(words))

    with (
        mock.patch("grading.bundle.load_bundle", return_value=bundle),
        # Building one takes longer than grading a small study.
        mock.patch("grading.grader.Grader", return_value=grader),
        bench(Path(scratch_name), grade) as ready,
    ):
        # What it takes to load the libraries is not the first file's fault.
        ready.warm_up()
        for number in numbers:
            pipe.send(ready.run(seed, number))
