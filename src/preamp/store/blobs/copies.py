"""How blobs lie in an object store, so that nobody loses one that is put again while it is being collected.

An object store can neither delete "unless it changed" nor tell when a request that somebody sent long ago
arrives. So a blob is a folder of copies, `blobs/ab/{name}/{copy}`, of which mostly there is one. A collector
first condemns a copy, by an object `{copy}.condemned` beside it, and removes it a grace time later when
still nothing refers to the blob. Whoever puts a blob relies on a copy that is not condemned, else writes
another one under a new name. Hence:

* A copy that somebody relied on before it was condemned is still there when the row that refers to it is
  committed, for that takes less than a grace time; the collector looks at the rows after that.
* A copy that was condemned before is one that nobody new relies on: it does not matter when its removal
  arrives, also from a process that was frozen in the middle.

The mark outlives its copy by a grace time, so that the first copy's fixed name is not used again while an
old removal may be under way. Times are those that the object store gives; the collector's clock may differ
by much less than the grace time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import obstore

from preamp.store.objects import ObjectStore, put, wrapped

ROOT = "blobs"
FIRST = "0"
"""The first copy's name, so that readers need not ask for it."""
MARK = ".condemned"


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A copy of a blob, or the mark that is left of one."""

    blob: str
    name: str
    size: int | None
    """Bytes; None: removed."""
    modified_ms: int
    condemned_ms: int | None
    """When; None: it may be relied on."""

    @property
    def key(self) -> str:
        return f"{folder(self.blob)}/{self.name}"


class Fate(Enum):
    """What a collector does to a copy."""

    CONDEMN = "condemn"  # nobody new relies on it
    REMOVE = "remove"  # and the bytes go
    SPARE = "spare"  # it may be relied on again
    FORGET = "forget"  # its name may be used again


def folder(blob: str) -> str:
    return f"{ROOT}/{blob[:2]}/{blob}"


def first_key(blob: str) -> str:
    return f"{folder(blob)}/{FIRST}"


def new_key(blob: str, copies: Iterable[Copy]) -> str:
    """For another copy, given all that there are or were."""
    taken = {copy.name for copy in copies}
    return first_key(blob) if FIRST not in taken else f"{folder(blob)}/{secrets.token_hex(8)}"


def copies_of(store: ObjectStore, blob: str) -> list[Copy]:
    """Those that may be relied on first. Raises DependentServiceFailure."""
    found = [copy for copies in _read(store, folder(blob)).values() for copy in copies]
    return sorted(found, key=lambda copy: copy.condemned_ms is not None)


def all_copies(store: ObjectStore) -> dict[str, list[Copy]]:
    """By blob. Raises DependentServiceFailure."""
    return _read(store, ROOT)


def decide(
    copies: Sequence[Copy], *, referenced: bool, now: int, grace_ms: int
) -> Iterator[tuple[Copy, Fate]]:
    """What becomes of the copies of one blob; `referenced` was looked up after the copies were.

    Of several copies of a blob that is referred to the newest is kept; writers that came at the same time
    make such, and those that found the others condemned.
    """
    oldest = now - grace_ms
    present = [copy for copy in copies if copy.size is not None]
    usable = [copy for copy in present if copy.condemned_ms is None]
    kept = max(usable or present, key=lambda copy: (copy.modified_ms, copy.name), default=None)
    for copy in copies:
        if copy.condemned_ms is None:
            if copy.modified_ms < oldest and not (referenced and copy is kept):
                yield copy, Fate.CONDEMN
        elif copy.condemned_ms >= oldest:
            continue
        elif copy.size is None:
            yield copy, Fate.FORGET
        elif not referenced or (usable and copy is not kept):
            yield copy, Fate.REMOVE
        elif copy is kept:
            yield copy, Fate.SPARE


def carry_out(store: ObjectStore, copy: Copy, fate: Fate) -> None:
    """Raises DependentServiceFailure; it can be repeated then."""
    mark = f"{copy.key}{MARK}"
    if fate in {Fate.CONDEMN, Fate.REMOVE}:
        # Before a removal the mark becomes new: it stays for a grace time from now on.
        put(store, mark, b"")
    with wrapped(copy.key):
        if fate is Fate.REMOVE:
            obstore.delete(store, copy.key)
        elif fate is not Fate.CONDEMN:
            obstore.delete(store, mark)


def _read(store: ObjectStore, prefix: str) -> dict[str, list[Copy]]:
    found: dict[str, dict[str, tuple[int, int]]] = {}
    with wrapped("the list of blobs"):
        for batch in obstore.list(store, prefix):
            for item in batch:
                at, _, name = item["path"].rpartition("/")
                times = item["size"], int(item["last_modified"].timestamp() * 1000)
                found.setdefault(at.rpartition("/")[2], {})[name] = times
    return {blob: list(_copies(blob, objects)) for blob, objects in found.items()}


def _copies(blob: str, objects: dict[str, tuple[int, int]]) -> Iterator[Copy]:
    for name in dict.fromkeys(name.removesuffix(MARK) for name in objects):
        mark = objects.get(f"{name}{MARK}")
        size, modified_ms = objects.get(name) or (None, mark[1] if mark else 0)
        yield Copy(
            blob=blob,
            name=name,
            size=size,
            modified_ms=modified_ms,
            condemned_ms=mark[1] if mark else None,
        )
