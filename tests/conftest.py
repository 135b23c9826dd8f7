"""What every package's tests share."""

from hypothesis import settings

pytest_plugins = ["tests.peers", "tests.full_study", "tests.privacy"]

# A deadline would fail a test because the machine is busy.
settings.register_profile("node", deadline=None)
settings.load_profile("node")
