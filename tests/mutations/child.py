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
WARMING_UP = -1
"""A case that loads the libraries; what it takes is not the file's fault."""


def serve(
    pipe: Connection, seed: int, numbers: Sequence[int], scratch_name: str
) -> None:
    """Run cases one after the other, with a network that nobody trained."""
    warnings.simplefilter("ignore")
    from dicom_node.__main__ import main as lumbar_node
    from tests.grading.tiny_bundle import tiny_bundle

    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    scratch = Path(scratch_name)
    with tempfile.TemporaryDirectory() as elsewhere:
        bundle = tiny_bundle(Path(elsewhere) / "tiny")

        def grade(folder: Path, out: Path) -> str:
            words = ["grade", str(folder), "--out", str(out), "--accept-phantom-bundle"]
            return quietly(lambda: lumbar_node(words))

        with (
            mock.patch("grading.bundle.load_bundle", return_value=bundle),
            bench(scratch, grade) as ready,
        ):
            ready.run(seed, WARMING_UP)
            for number in numbers:
                pipe.send(ready.run(seed, number))
