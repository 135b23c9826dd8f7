"""What the tests' other processes do; a module of its own because they import it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import closing
from multiprocessing.context import ForkServerContext

from storage import jobs
from storage.database import open_database


def fresh() -> ForkServerContext:
    """Start processes that share nothing with this one; all of them import once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def claim_all(url: str, worker: str) -> list[int]:
    """Claim until nothing is left, as one worker of several."""
    claimed: list[int] = []
    with closing(open_database(url)) as database:
        while True:
            with database.sessions.begin() as session:
                lease = jobs.claim(session, worker, 600)
            if lease is None:
                return claimed
            claimed.append(lease.id)


def claim_and_die(url: str) -> None:
    """Claim twice and be killed, as by the kernel, before the second is committed."""
    with closing(open_database(url)) as database:
        with database.sessions.begin() as session:
            jobs.claim(session, "killed", 0)
        with database.sessions.begin() as session:
            jobs.claim(session, "killed", 60)
            os.kill(os.getpid(), signal.SIGKILL)
