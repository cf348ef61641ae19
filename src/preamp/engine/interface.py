"""What the rest of Preamp asks of an engine."""

from __future__ import annotations

from typing import Protocol

from preamp.store.database import Write


class Engine(Protocol):
    """Carries wake-ups. The jobs table is the truth: a wake-up lost, doubled or late does no harm."""

    def wake(self, tx: Write, branch_id: int) -> None:
        """Say "look at this branch": a job was added or is to be stopped.

        Part of the transaction: nothing is sent when it is rolled back, and what is sent is sent after
        the rows can be seen.
        """
