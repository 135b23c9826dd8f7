"""What every package's tests share."""

from collections.abc import Iterator
from socketserver import BaseServer

import pytest
from hypothesis import settings

pytest_plugins = ["tests.peers", "tests.full_study", "tests.privacy"]

# A deadline would fail a test because the machine is busy.
settings.register_profile("node", deadline=None)
settings.load_profile("node")


@pytest.fixture(scope="session", autouse=True)
def _servers_stop_soon() -> Iterator[None]:
    """Let peers look more often whether they are to stop: by default twice a second.

    Not all the time: every 59th look of pynetdicom's servers collects garbage.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseServer.serve_forever, "__defaults__", (0.1,))
        yield
