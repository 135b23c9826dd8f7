"""Nodes with the patience of a test, and certificates made as the manual says."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node import tls
from dicom_node.config import TlsSection
from dicom_node.listening.limits import Limits
from tests.dicom_node.listening import certificates
from tests.end_to_end.node import Node, running_node
from tests.fakes import SameEverywhere
from tests.peers import require_peer

QUICK = Limits(max_associations=3, close_seconds=0.2)
"""A node that serves its peers however slow the machine is, and stops soon."""
SOON_CLOSING = replace(QUICK, setup_seconds=1.0)
"""One for peers that ask for nothing, and for nobody else: a test waits for it."""

Start = Callable[..., Node]


@pytest.fixture
def start(sqlite_database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start nodes that grade nothing; each is stopped after the test."""
    with ExitStack() as running:

        def one(limits: Limits = QUICK, secured: ssl.SSLContext | None = None) -> Node:
            return running.enter_context(
                running_node(
                    sqlite_database_url,
                    tmp_path / "node",
                    SameEverywhere(),
                    limits=limits,
                    tls=secured,
                )
            )

        yield one


@pytest.fixture(scope="session")
def section(tmp_path_factory: pytest.TempPathFactory) -> TlsSection:
    """The certificates that the manual's commands make."""
    require_peer("openssl", "openssl")
    return certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def client(section: TlsSection) -> ssl.SSLContext:
    """What a peer with a certificate of the same authority connects with."""
    return tls.outbound(section)
