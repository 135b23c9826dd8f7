import pytest

from tests.peers import require_peer


def test_a_missing_peer_skips_the_test_and_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REQUIRE_PEERS", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no such-program; install a-peer"):
        require_peer("a-peer", "sh", "such-program")


def test_a_missing_peer_fails_the_test_where_peers_are_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUIRE_PEERS", "1")

    with pytest.raises(pytest.fail.Exception, match="a-peer is not installed"):
        require_peer("a-peer", "such-program")


def test_programs_come_back_in_the_order_asked_for() -> None:
    first, second = require_peer("a-shell", "sh", "ls")

    assert (first.name, second.name) == ("sh", "ls")
