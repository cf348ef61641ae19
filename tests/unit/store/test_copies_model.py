"""Writers, rows that come and go, several collectors that may freeze anywhere, and time, in every order: what
is referred to, or will be, has a copy. Over an object store with a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from preamp.store.blobs import copies as copies_module
from preamp.store.blobs.copies import FIRST, Copy, Fate, all_copies, carry_out, copies_of, decide, new_key

GRACE = 100
BLOBS = ("aa", "bb")


class Objects:
    """As much of obstore as is used."""

    def __init__(self) -> None:
        self.now = 1
        self.times: dict[str, int] = {}

    def list(self, _: object, prefix: str) -> Iterator[list[dict[str, object]]]:
        yield [
            {"path": path, "size": 3, "last_modified": datetime.fromtimestamp(at / 1000, tz=UTC)}
            for path, at in self.times.items()
            if path.startswith(f"{prefix}/")
        ]

    def delete(self, _: object, path: str) -> None:
        self.times.pop(path, None)

    def put(self, _: object, path: str, __: bytes | Path) -> None:
        self.times[path] = self.now


class Collecting(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.objects = Objects()
        self.patches = [
            mock.patch.object(copies_module, "obstore", self.objects),
            mock.patch.object(copies_module, "put", self.objects.put),
        ]
        for patch in self.patches:
            patch.start()
        self.rows: list[str] = []
        self.pending: list[tuple[str, int]] = []
        """Blobs that were put and whose rows are not committed yet, with the time when they have to be."""
        self.decided: list[tuple[Copy, Fate, int]] = []
        """What frozen collectors are about to do, and until when it may still happen."""

    def teardown(self) -> None:
        for patch in self.patches:
            patch.stop()

    @rule(blob=st.sampled_from(BLOBS))
    def put(self, blob: str) -> None:
        found = copies_of(self.objects, blob)  # type: ignore[arg-type]
        if not any(copy.condemned_ms is None and copy.size for copy in found):
            self.objects.put(None, new_key(blob, found), b"abc")
        self.pending.append((blob, self.objects.now + GRACE - 1))

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        blob, _ = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        self.rows.append(blob)

    @precondition(lambda self: self.pending)
    @rule()
    def give_up(self) -> None:
        self.pending.pop()

    @precondition(lambda self: self.rows)
    @rule()
    def delete_row(self) -> None:
        self.rows.pop()

    @rule()
    def look(self) -> None:
        now, until = self.objects.now, self.objects.now + GRACE
        for blob, found in all_copies(self.objects).items():  # type: ignore[arg-type]
            for copy, fate in decide(found, referenced=blob in self.rows, now=now, grace_ms=GRACE):
                self.decided.append((copy, fate, until))

    @precondition(lambda self: self.decided)
    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        copy, fate, _ = self.decided.pop(data.draw(st.integers(0, len(self.decided) - 1)))
        carry_out(self.objects, copy, fate)  # type: ignore[arg-type]

    @rule(by=st.sampled_from((1, GRACE // 2, GRACE, GRACE + 1)))
    def wait(self, by: int) -> None:
        """Rows are committed in time; a collector that is frozen for longer does no harm by a removal of a
        copy with a random name, and is expected not to be for one of the first."""
        self.objects.now += by
        late = [item for item in self.pending if item[1] < self.objects.now]
        self.pending = [item for item in self.pending if item not in late]
        self.rows += [blob for blob, _ in late]
        self.decided = [
            (copy, fate, until)
            for copy, fate, until in self.decided
            if until >= self.objects.now or (fate is Fate.REMOVE and copy.name != FIRST)
        ]

    @invariant()
    def nothing_is_lost(self) -> None:
        for blob in {*self.rows, *(blob for blob, _ in self.pending)}:
            assert any(copy.size for copy in copies_of(self.objects, blob)), blob  # type: ignore[arg-type]


Collecting.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCollecting = Collecting.TestCase
