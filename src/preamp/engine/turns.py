"""Whose turn it is when slots are scarce, and how many slots a job takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from preamp.model.apps import ComputeType
from preamp.store.queue import Entrant

WEIGHTS: Mapping[ComputeType, int] = {
    ComputeType.STANDARD_8GB: 1,
    ComputeType.LARGE_16GB: 2,  # twice the memory and twice the processors
    ComputeType.XLARGE_72GB: 9,
}
"""Slots of a job, as many times as its compute type has the memory of the standard one."""


def weight_of(entrant: Entrant, *, slots: int) -> int:
    """Slots that a job of the branch takes of a worker that has `slots`: never more than there are."""
    wanted = WEIGHTS[entrant.compute_type] if entrant.compute_type is not None else 1
    return min(wanted, slots)


MOST_APPS = 10_000
"""Whose last turn is remembered; longer ago is as good as never."""


class Turns:
    """Apps take turns: next is the app with the fewest slots in use, of equal ones the one whose last turn
    is longest ago; within an app the branch that came first."""

    def __init__(self) -> None:
        self._count = 0
        self._last: dict[str, int] = {}

    def next(self, waiting: Iterable[int], entrants: Mapping[int, Entrant], in_use: Mapping[str, int]) -> int:
        """One of the branches that wait, which are in the order in which they came."""

        def place(item: tuple[int, int]) -> tuple[int, int, int]:
            order, branch_id = item
            entrant = entrants.get(branch_id)
            app_id = entrant.app_id if entrant else ""
            return in_use.get(app_id, 0), self._last.get(app_id, 0), order

        return min(enumerate(waiting), key=place)[1]

    def taken(self, app_id: str) -> None:
        """A job of the app has got a slot."""
        self._count += 1
        self._last.pop(app_id, None)
        self._last[app_id] = self._count
        if len(self._last) > MOST_APPS:
            del self._last[next(iter(self._last))]
