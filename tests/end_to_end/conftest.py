"""Studies, a PACS and a node for the tests that need a socket and a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.config import Destination
from dicom_node.demo_pacs import Orthanc
from tests import ports
from tests.end_to_end.node import Node, running_node
from tests.fakes import SameEverywhere
from tests.peers import require_peer
from tests.ports import free_port

HITACHI = Path(__file__).parent.parent / "data" / "hitachi"
PACS_TITLE = "PACS"


@pytest.fixture
def hitachi_files() -> list[Path]:
    """The public-domain study: five series, 17 axial T2W images among them."""
    return sorted(HITACHI.rglob("*.dcm"))


@pytest.fixture
def pacs_port(request: pytest.FixtureRequest) -> int:
    """A port that nobody listens on, or that of the Orthanc that the test has."""
    if "orthanc" in request.fixturenames:
        port: int = request.getfixturevalue("orthanc_port")
        return port
    return free_port()


@pytest.fixture(scope="session")
def orthanc_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def running_orthanc(
    tmp_path_factory: pytest.TempPathFactory, orthanc_port: int
) -> Iterator[Orthanc]:
    """An Orthanc for all tests: it takes seconds to start and to stop."""
    require_peer("orthanc", "Orthanc")
    folder = tmp_path_factory.mktemp("orthanc")
    with ports.orthanc(folder, PACS_TITLE, orthanc_port) as running:
        yield running


@pytest.fixture
def orthanc(running_orthanc: Orthanc) -> Orthanc:
    """An Orthanc that holds nothing."""
    empty(running_orthanc)
    return running_orthanc


@pytest.fixture
def destination(pacs_port: int) -> Destination:
    return pacs_at(pacs_port)


def pacs_at(port: int) -> Destination:
    return Destination("pacs", PACS_TITLE, "127.0.0.1", port)


def empty(orthanc: Orthanc) -> None:
    for patient in orthanc.get("/patients"):
        orthanc._request("DELETE", f"/patients/{patient}")


@pytest.fixture
def node(database_url: str, tmp_path: Path, destination: Destination) -> Iterator[Node]:
    """A node that grades without a network, on either database."""
    with running_node(
        database_url, tmp_path / "node", SameEverywhere(), (destination,)
    ) as running:
        yield running


@pytest.fixture
def here(
    sqlite_database_url: str, tmp_path: Path, destination: Destination
) -> Iterator[Node]:
    """A node on SQLite that grades without a network."""
    with running_node(
        sqlite_database_url, tmp_path / "node", SameEverywhere(), (destination,)
    ) as running:
        yield running
