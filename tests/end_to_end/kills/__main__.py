"""Kill the node so many times and log each: see docs/reliability.md.

Goes on where the log stops. Ends with 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from storage.database import migrate
from tests.end_to_end.kills import records, scenario
from tests.peers import running_postgresql

KILLS_PER_RUN = 25


def main() -> int:
    arguments = _arguments()
    if arguments.summary:
        found = [line for log in arguments.log for line in records.read(log)]
        print(records.summary(found))
        return int(any(line.outcome == records.BROKEN for line in found))
    return _kill(arguments.database, arguments.times, arguments.log[0], arguments.seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.end_to_end.kills")
    parser.description = __doc__
    parser.add_argument("--database", choices=["sqlite", "postgresql"])
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument(
        "--summary", action="store_true", help="kill nobody; tell what the logs say"
    )
    arguments = parser.parse_args()
    if not arguments.summary and arguments.database is None:
        parser.error("--database or --summary")
    return arguments


def _kill(database: str, times: int, log: Path, seed: int) -> int:
    done = [line for line in records.read(log) if line.database == database]
    broken = any(line.outcome == records.BROKEN for line in done)
    count = len(done)
    with _databases(database) as fresh:
        while count < times:
            run_seed = seed * 1_000_000 + count
            here = min(KILLS_PER_RUN, times - count)
            with tempfile.TemporaryDirectory(prefix="kills-") as folder, fresh() as url:
                outcome = scenario.run(run_seed, here, Path(folder), url)
                if outcome.broken:
                    shutil.copytree(folder, f"{log}.{run_seed}", dirs_exist_ok=True)
            records.append(log, records.records(outcome, run_seed, database, count + 1))
            count += here
            broken = broken or bool(outcome.broken)
            said = "; ".join(outcome.broken) or records.KEPT
            print(f"{database}: {count} of {times} kills: {said}", flush=True)
    return int(broken)


@contextmanager
def _databases(kind: str) -> Iterator[Callable[[], AbstractContextManager[str]]]:
    """Give what makes a migrated, empty database for one run."""
    if kind == "sqlite":
        yield _sqlite
        return
    with running_postgresql() as url:
        yield lambda: _postgresql(url)


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        url = f"sqlite:///{folder}/node.sqlite"
        migrate(url)
        yield url


@contextmanager
def _postgresql(server: str) -> Iterator[str]:
    name = f"kills_{uuid.uuid4().hex}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = server.replace("/postgres?", f"/{name}?")
        migrate(url)
        yield url
        admin.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )


if __name__ == "__main__":
    sys.exit(main())
