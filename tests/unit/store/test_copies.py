"""Collecting blobs of an object store, over an object store in memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from preamp.store.blobs.cache import BlobCache
from preamp.store.blobs.copies import FIRST, MARK, Copy, Fate, carry_out, copies_of, decide
from preamp.store.blobs.s3 import S3Blobs
from tests.support.deployers import GRACE, LATER, Deployers


def copy(name: str, at: int = 0, *, condemned: int | None = None, gone: bool = False) -> Copy:
    return Copy(blob="b", name=name, size=None if gone else 3, modified_ms=at, condemned_ms=condemned)


@pytest.mark.parametrize(
    ("copies", "referenced", "fates"),
    [
        ([copy("0", 9001)], False, []),
        ([copy("0", 1)], False, [("0", Fate.CONDEMN)]),
        ([copy("0", 1)], True, []),
        ([copy("0", 1, condemned=9001)], False, []),
        ([copy("0", 1, condemned=8999)], False, [("0", Fate.REMOVE)]),
        # Somebody relied on it before it was condemned.
        ([copy("0", 1, condemned=8999)], True, [("0", Fate.SPARE)]),
        ([copy("0", 1, condemned=9001)], True, []),
        # Somebody put it again afterwards.
        ([copy("0", 1, condemned=8999), copy("1", 9500)], True, [("0", Fate.REMOVE)]),
        ([copy("0", 1, condemned=8999), copy("1", 9500)], False, [("0", Fate.REMOVE)]),
        # Two writers at once.
        ([copy("0", 1), copy("1", 2)], True, [("0", Fate.CONDEMN)]),
        ([copy("0", 1), copy("1", 2)], False, [("0", Fate.CONDEMN), ("1", Fate.CONDEMN)]),
        # The newest has to be spared before others go.
        ([copy("0", 1, condemned=8), copy("1", 2, condemned=9)], True, [("1", Fate.SPARE)]),
        # Marks stay a while.
        ([copy("0", condemned=8999, gone=True)], True, [("0", Fate.FORGET)]),
        ([copy("0", condemned=9001, gone=True)], True, []),
    ],
)  # fmt: skip
def test_what_becomes_of_copies(copies: list[Copy], referenced: bool, fates: list[tuple[str, Fate]]) -> None:
    found = decide(copies, referenced=referenced, now=10_000, grace_ms=GRACE)
    assert [(copy.name, fate) for copy, fate in found] == fates


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def new_blobs(store: Any, tmp_path: Path) -> Iterator[Callable[[], S3Blobs]]:
    """The same store as another machine sees it, which has no copies yet."""
    with ExitStack() as stack:

        def make() -> S3Blobs:
            blobs = S3Blobs(store, BlobCache(tmp_path / secrets.token_hex(4), max_bytes=10**9))
            stack.callback(blobs.close)
            return blobs

        yield make


def collect(blobs: S3Blobs, referenced: set[str] | None = None) -> list[str]:
    found = blobs.collect(blobs.look(), referenced or set(), now=LATER, grace_ms=GRACE)
    return [item.name for item in found]


def test_what_nothing_refers_to_is_condemned_then_removed_then_forgotten(
    store: Any, new_blobs: Callable[[], S3Blobs]
) -> None:
    blobs = new_blobs()
    kept, gone = blobs.put_bytes(b"kept").name, blobs.put_bytes(b"gone").name
    blobs.sync()
    assert collect(blobs, {kept}) == []
    assert new_blobs().read(gone) == b"gone"
    assert blobs.collect(blobs.look(), {kept}, now=LATER, grace_ms=GRACE, dry_run=True)[0].name == gone
    assert new_blobs().read(gone) == b"gone"
    assert collect(blobs, {kept}) == [gone]
    with pytest.raises(FileNotFoundError):
        new_blobs().read(gone)
    assert [item["path"] for batch in obstore.list(store) for item in batch if gone in item["path"]] == [
        f"blobs/{gone[:2]}/{gone}/{FIRST}{MARK}"
    ]
    assert collect(blobs, {kept}) == []
    assert copies_of(store, gone) == []
    assert [item.name for item in blobs.list()] == [kept]
    assert new_blobs().read(kept) == b"kept"


def test_one_who_relied_on_a_copy_before_it_was_condemned_keeps_it(
    store: Any, new_blobs: Callable[[], S3Blobs]
) -> None:
    blobs = new_blobs()
    name = blobs.put_bytes(b"bytes").name
    blobs.sync()
    again = new_blobs()
    assert again.put_bytes(b"bytes").name == name
    again.sync()
    assert collect(blobs) == []
    # Now its row is there.
    assert collect(blobs, {name}) == []
    assert [(copy.name, copy.condemned_ms) for copy in copies_of(store, name)] == [(FIRST, None)]
    assert new_blobs().read(name) == b"bytes"


def test_a_frozen_collector_removes_nothing_that_was_put_again_meanwhile(
    store: Any, new_blobs: Callable[[], S3Blobs]
) -> None:
    blobs = new_blobs()
    name = blobs.put_bytes(b"bytes").name
    blobs.sync()
    collect(blobs)
    ((copy, fate),) = decide(copies_of(store, name), referenced=False, now=LATER, grace_ms=GRACE)
    assert fate is Fate.REMOVE
    # It is frozen here; meanwhile:
    again = new_blobs()
    assert not again.exists(name)  # nobody is to rely on a condemned copy
    again.put_bytes(b"bytes")
    again.sync()
    assert again.exists(name)
    assert again.sizes([name]) == {name: 5}
    collect(blobs, {name})
    carry_out(store, copy, fate)
    assert new_blobs().read(name) == b"bytes"
    assert collect(blobs, {name}) == []
    assert len(copies_of(store, name)) == 1


def test_copies_that_came_at_the_same_time_become_one(store: Any, new_blobs: Callable[[], S3Blobs]) -> None:
    blobs = new_blobs()
    name = blobs.put_bytes(b"bytes").name
    blobs.sync()
    obstore.put(store, f"blobs/{name[:2]}/{name}/other", b"bytes")
    assert collect(blobs, {name}) == []
    assert len(collect(blobs, {name})) == 1
    assert collect(blobs, {name}) == []
    assert [copy.size for copy in copies_of(store, name)] == [5]
    assert new_blobs().read(name) == b"bytes"
    blobs.delete(name)
    assert blobs.sizes([name]) == {}


def test_a_blob_that_is_put_again_while_it_is_collected_is_never_lost(store: Any, tmp_path: Path) -> None:
    deployers = Deployers(store, tmp_path)
    deployers.run(removals=60)
    assert deployers.lost == []
    assert deployers.removed >= 60
