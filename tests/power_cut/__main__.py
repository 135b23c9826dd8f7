"""Cut the power so many times: see docs/reliability.md.

Ends with 1 where something acknowledged was lost. Each record is cut some more with
a disk that ignores syncs of one kind: losses must be found then, or the trial is blind
and the status is 1 as well.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.power_cut import cuts
from tests.power_cut.cuts import Recorded
from tests.power_cut.lies import LIES

IMAGES = 60
CONTROLS = 10
"""Cuts of each record per kind of sync that is ignored."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.power_cut")
    parser.description = __doc__
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--runs", type=int, default=4, help="records to cut")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    losses, noticed = 0, Counter[str]()
    for run in range(arguments.runs):
        chance = random.Random(f"{arguments.seed}-{run}")
        with tempfile.TemporaryDirectory(prefix="power-cut-") as folder:
            recorded = cuts.record(arguments.seed + run, IMAGES, Path(folder))
        here = len(range(run, arguments.cuts, arguments.runs))
        losses += _cut(run + 1, recorded, here, chance)
        noticed.update(_controls(recorded, chance))
    count = arguments.runs * CONTROLS
    for lie in LIES:
        print(f"syncs of {lie} ignored: {noticed[lie]} of {count} cuts with a loss")
    return int(losses > 0 or len(+noticed) < len(LIES))


def _cut(run: int, recorded: Recorded, times: int, chance: random.Random) -> int:
    """Cut one record, say what came out, and return how many cuts lost something."""
    found = [cuts.cut(recorded, chance) for _ in range(times)]
    losing = [cut for cut in found if cut.broken]
    print(
        f"run {run}: {len(recorded.operations)} operations, "
        f"{len(recorded.sent)} images acknowledged, {times} cuts, "
        f"{len(losing)} of them with a loss",
        *(f"  after {cut.after}: {cut.broken[0]}" for cut in losing),
        sep="\n",
        flush=True,
    )
    return len(losing)


def _controls(recorded: Recorded, chance: random.Random) -> dict[str, int]:
    """Return how many cuts lost something, by the syncs that the disk ignored."""
    return {
        lie: sum(
            bool(cuts.cut(recorded, chance, vouches).broken) for _ in range(CONTROLS)
        )
        for lie, vouches in LIES.items()
    }


if __name__ == "__main__":
    sys.exit(main())
