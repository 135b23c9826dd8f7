"""Send mutated files through indexing and through ``lumbar-node grade``.

``python -m tests.mutations --cases 5000 --seed 1 --log mutations.log``

Everything runs in a child that is watched: one that dies, or says nothing for a minute,
is a finding, and the next case goes on in a new one. Finished cases stand in the log,
so a run that was interrupted goes on where it ended. Ends with 1 where anything was
found. ``--cases 1 --first N`` repeats one case.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from tests.mutations.case import PATIENCE_SECONDS, Outcome
from tests.mutations.child import serve

CASES_PER_CHILD = 250


def main(words: Sequence[str] | None = None) -> int:
    """Run the cases that are not in the log yet; return 1 where one has a complaint."""
    parsed = _parser().parse_args(words)
    done = _read_log(parsed.log)
    wanted = range(parsed.first, parsed.first + parsed.cases)
    left = [number for number in wanted if number not in done]
    _say(f"{len(left)} of {len(wanted)} cases to run")
    with parsed.log.open("a", encoding="utf-8") as log:
        while left:
            for outcome in _run_in_a_child(parsed.seed, left[:CASES_PER_CHILD]):
                log.write(_line(outcome))
                log.flush()
                left.remove(outcome.number)
    lines = _read_log(parsed.log)
    kinds = Counter(line.split("\t")[1] for line in lines.values())
    _say(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    bad = [line for line in lines.values() if line.split("\t")[2] != "well"]
    _say("\n".join(bad) or "no complaint")
    return int(bool(bad))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, default=Path("mutations.log"))
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _read_log(path: Path) -> dict[int, str]:
    """Return the finished cases by their number."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {int(line.partition("\t")[0]): line for line in lines}


def _line(outcome: Outcome) -> str:
    said = " | ".join(outcome.complaints).replace("\n", " ").replace("\t", " ")
    return f"{outcome.number}\t{outcome.mutation}\t{said or 'well'}\n"


def _run_in_a_child(seed: int, numbers: Sequence[int]) -> Iterator[Outcome]:
    """Run cases until one of them ends the child, which then is its outcome."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as scratch:
        child = context.Process(target=serve, args=(theirs, seed, numbers, scratch))
        child.start()
        theirs.close()
        try:
            yield from _outcomes(ours, numbers)
        finally:
            child.kill()
            child.join()


def _outcomes(pipe: Connection, numbers: Sequence[int]) -> Iterator[Outcome]:
    # The first answer takes longer: the libraries are loaded before it.
    patience_seconds = PATIENCE_SECONDS * 10
    for number in numbers:
        try:
            if not pipe.poll(patience_seconds):
                yield Outcome(number, "unknown", ("the child hangs",))
                return
            yield pipe.recv()
        except EOFError:
            yield Outcome(number, "unknown", ("the child died",))
            return
        patience_seconds = PATIENCE_SECONDS * 2


if __name__ == "__main__":
    sys.exit(main())
