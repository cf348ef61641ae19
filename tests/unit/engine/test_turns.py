from __future__ import annotations

from collections import Counter

import pytest

from preamp.engine.turns import Turns, weight_of
from preamp.model.apps import ComputeType
from preamp.store.queue import Entrant


def entrant(app_id: str, compute: ComputeType | None = ComputeType.STANDARD_8GB) -> Entrant:
    return Entrant(app_id=app_id, branch="main", compute_type=compute)


@pytest.mark.parametrize(
    ("compute", "slots", "weight"),
    [
        (ComputeType.STANDARD_8GB, 4, 1),
        (ComputeType.LARGE_16GB, 4, 2),
        (ComputeType.LARGE_16GB, 1, 1),
        (ComputeType.XLARGE_72GB, 4, 4),
        (ComputeType.XLARGE_72GB, 64, 9),
        (None, 4, 1),
    ],
)
def test_slots_by_compute_type(compute: ComputeType | None, slots: int, weight: int) -> None:
    assert weight_of(entrant("a", compute), slots=slots) == weight


def test_a_busy_app_cannot_starve_others() -> None:
    # 20 branches of app a came first, then one of b and one of c.
    entrants = {number: entrant("a") for number in range(20)} | {20: entrant("b"), 21: entrant("c")}
    waiting = list(entrants)
    turns, order = Turns(), []
    while waiting:
        chosen = turns.next(waiting, entrants, {})
        waiting.remove(chosen)
        turns.taken(entrants[chosen].app_id)
        order.append(chosen)
    assert order[:4] == [0, 20, 21, 1]
    assert order[4:] == list(range(2, 20))


def test_the_app_with_fewer_slots_in_use_is_next() -> None:
    entrants = {1: entrant("a"), 2: entrant("b")}
    turns = Turns()
    assert turns.next([1, 2], entrants, Counter(a=1)) == 2
    turns.taken("b")
    assert turns.next([1, 2], entrants, Counter(a=1, b=2)) == 1


def test_a_branch_nobody_knows_has_a_turn_too() -> None:
    assert Turns().next([7], {}, {}) == 7
