from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.build.workspace import remove_tree
from preamp.compute.bundles import Bundles
from preamp.compute.errors import BundleError
from preamp.compute.places import remove_leftovers
from preamp.model.compute import Compute
from preamp.model.releases import Body
from preamp.store.blobs import LocalBlobs
from tests.integration.compute.support import pack


class Store:
    def __init__(self, root: Path) -> None:
        self.blobs = LocalBlobs(root / "blobs")
        self.folder = root / "bundles"
        self.folder.mkdir()

    def bundles(self, max_bytes: int = 1000) -> Bundles:
        return Bundles(self.folder, self.blobs, max_bytes=max_bytes)

    def add(self, text: bytes) -> Compute:
        blob = self.blobs.put_bytes(pack({"compute/default/index.js": text}))
        return Compute(
            archive=Body(blob=blob.name, size=blob.size),
            name="default",
            entrypoint="index.js",
            runtime="nodejs20.x",
            total_bytes=len(text),
            file_count=1,
        )

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "blobs").mkdir()
    return Store(tmp_path)


def test_unpacked_once_also_by_two_at_once(store: Store) -> None:
    compute = store.add(b"one")

    async def main() -> None:
        first, second = await asyncio.gather(store.bundles().open(compute), store.bundles().open(compute))
        assert first.folder == second.folder
        assert (first.folder / "compute/default/index.js").read_bytes() == b"one"
        first.close()
        second.close()

    asyncio.run(main())
    assert store.names() == {compute.archive.blob}


def test_the_unused_longest_goes_and_the_used_stays(store: Store) -> None:
    one, two, three = (store.add(text * 400) for text in (b"1", b"2", b"3"))

    async def main() -> None:
        used = await store.bundles().open(one)
        (await store.bundles().open(two)).close()
        os.utime(store.folder / one.archive.blob / "lock", (1, 1))
        (await store.bundles().open(three)).close()
        assert store.names() == {one.archive.blob, three.archive.blob}
        assert (used.folder / "compute/default/index.js").exists()
        used.close()
        (await store.bundles().open(two)).close()
        assert store.names() == {two.archive.blob, three.archive.blob}

    asyncio.run(main())


def test_what_dead_processes_left(store: Store) -> None:
    dead = store.folder / ".999999999-abcd"
    alive = store.folder / f".{os.getpid()}-abcd"
    for place in (dead, alive):
        (place / "files").mkdir(parents=True)
    remove_leftovers(store.folder)
    assert store.names() == {alive.name}


def test_what_a_power_failure_cut_short_is_unpacked_again(store: Store) -> None:
    one, two = store.add(b"one"), store.add(b"two")

    async def main() -> None:
        (await store.bundles().open(one)).close()
        place = store.folder / one.archive.blob
        for file in (place / "files/compute/default/index.js", place / "size"):
            file.write_bytes(b"")
        os.utime(place, (1, 1))
        (await store.bundles().open(two)).close()
        again = await store.bundles().open(one)
        assert (again.folder / "compute/default/index.js").read_bytes() == b"one"
        again.close()

    asyncio.run(main())


def test_two_processes_make_room_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (store.add(text * 900) for text in (b"1", b"2"))
    found = Bundles._found

    def found_and_gone(self: Bundles) -> Iterator[tuple[float, int, Path]]:
        every = list(found(self))
        remove_tree(store.folder / one.archive.blob)
        yield from every

    async def main() -> None:
        (await store.bundles().open(one)).close()
        monkeypatch.setattr(Bundles, "_found", found_and_gone)
        (await store.bundles().open(two)).close()
        assert store.names() == {two.archive.blob}

    asyncio.run(main())


def test_a_damaged_or_lost_archive_leaves_nothing(store: Store) -> None:
    lost = store.add(b"lost")
    store.blobs.delete(lost.archive.blob)
    damaged = store.blobs.put_bytes(b"no archive")
    broken = Compute(
        archive=Body(blob=damaged.name, size=damaged.size),
        name="default",
        entrypoint="x",
        runtime="y",
        total_bytes=1,
        file_count=1,
    )
    for compute, text in ((lost, "not in the store"), (broken, "damaged")):
        with pytest.raises(BundleError, match=text):
            asyncio.run(store.bundles().open(compute))
    assert store.names() == set()
