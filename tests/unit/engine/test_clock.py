from __future__ import annotations

from preamp.engine.clock import SteadyClock


class Hands:
    wall = 1_000_000
    steady = 50


def clock(hands: Hands) -> SteadyClock:
    return SteadyClock(wall=lambda: hands.wall, steady=lambda: hands.steady)


def test_time_that_passes_counts() -> None:
    hands = Hands()
    found = clock(hands)
    hands.wall += 5000
    hands.steady += 5000
    assert found() == 1_005_000


def test_a_clock_that_is_set_ahead_makes_nothing_old() -> None:
    hands = Hands()
    found = clock(hands)
    hands.wall += 10 * 365 * 24 * 3600 * 1000
    hands.steady += 100
    assert found() == 1_000_100


def test_a_clock_that_is_set_back_is_followed() -> None:
    hands = Hands()
    found = clock(hands)
    hands.wall -= 700
    hands.steady += 100
    assert found() == 999_300
