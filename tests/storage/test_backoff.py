from hypothesis import given
from hypothesis import strategies as st

from storage.backoff import SPREAD, delay_seconds

KEYS = st.text(st.characters(codec="utf-8"))


def delay(attempts: int, key: str = "delivery 1") -> float:
    return delay_seconds(attempts, key, first_seconds=5.0, cap_seconds=900.0)


@given(attempts=st.integers(1, 10**6), key=KEYS)
def test_no_pause_is_longer_than_the_cap_or_shorter_than_the_first(
    attempts: int, key: str
) -> None:
    seconds = delay(attempts, key)

    assert 5.0 * (1 - SPREAD) <= seconds <= 900.0


@given(attempts=st.integers(1, 6), key=KEYS)
def test_pauses_double_within_their_spread(attempts: int, key: str) -> None:
    seconds = delay(attempts, key)

    nominal = 5.0 * 2 ** (attempts - 1)
    assert nominal * (1 - SPREAD) <= seconds <= nominal * (1 + SPREAD)


def test_what_failed_together_does_not_return_together() -> None:
    pauses = {delay(3, f"delivery {number}") for number in range(100)}

    assert len(pauses) > 90
