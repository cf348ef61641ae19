import os
import shutil
import threading

import pytest

from preamp.edge.images.cache import FileCache


def name(number):
    return f"{number:064x}"[::-1]


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_is_kept_is_found_by_other_processes(tmp_path):
    cache = FileCache(tmp_path, max_bytes=10_000)
    assert cache.get(name(1)) is None
    cache.put(name(1), b"one")
    cache.put(name(2), b"")
    assert FileCache(tmp_path, max_bytes=10_000).get(name(1)) == b"one"
    assert cache.get(name(2)) == b""
    cache.put(name(1), b"one again")
    assert cache.get(name(1)) == b"one again"


@pytest.mark.parametrize("damage", [b"", b"PI", b"PIm1\5\0\0\0", None])
def test_damaged_files_are_not_believed(tmp_path, damage):
    cache = FileCache(tmp_path, max_bytes=10_000)
    cache.put(name(1), b"hello")
    (path,) = (item for item in tmp_path.rglob("*") if item.is_file())
    path.write_bytes(path.read_bytes()[:-1] + b"x" if damage is None else damage)
    assert cache.get(name(1)) is None
    assert not path.exists()


def test_the_bound_and_what_goes_first(tmp_path):
    cache = FileCache(tmp_path, max_bytes=10_000)
    for number in range(30):
        cache.put(name(number), bytes(1000))
        path = tmp_path / name(number)[:2] / name(number)
        if path.exists():
            os.utime(path, (number, number))
        if number == 5:
            assert cache.get(name(0)) is not None  # used again: it is younger than the others now
    assert size(tmp_path) <= 11_000 + 1012
    assert cache.get(name(0)) is not None
    assert cache.get(name(1)) is None
    assert cache.get(name(29)) is not None


def test_one_that_is_full_from_an_earlier_process_shrinks(tmp_path):
    large = FileCache(tmp_path, max_bytes=1_000_000)
    for number in range(20):
        large.put(name(number), bytes(1000))
    FileCache(tmp_path, max_bytes=5000).put(name(99), b"x")
    assert size(tmp_path) <= 5000


def test_remains_of_dead_processes_go(tmp_path):
    cache = FileCache(tmp_path, max_bytes=1000)
    cache.put(name(1), b"x")
    remains = tmp_path / "incoming" / "1-old"
    remains.write_bytes(b"half")
    os.utime(remains, (1, 1))
    fresh = tmp_path / "incoming" / "1-new"
    fresh.write_bytes(b"half")
    cache.put(name(2), bytes(500))
    assert not remains.exists()
    assert fresh.exists()


def test_several_at_once(tmp_path):
    """Two caches on one folder, as in two processes: what is read is whole or not there."""
    caches = [FileCache(tmp_path, max_bytes=20_000) for _ in range(2)]
    wrong = []

    def work(cache, seed):
        for step in range(150):
            number = (step * seed) % 40
            body = cache.get(name(number))
            if body is not None and body != bytes([number]) * 1000:
                wrong.append(number)
            cache.put(name(number), bytes([number]) * 1000)

    threads = [threading.Thread(target=work, args=(caches[i % 2], 7 + i)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert size(tmp_path) <= 20_000 * 1.3


def test_the_folder_may_be_deleted_at_any_time(tmp_path):
    cache = FileCache(tmp_path / "cache", max_bytes=10_000)
    cache.put(name(1), b"one")
    shutil.rmtree(tmp_path / "cache")
    assert cache.get(name(1)) is None
    cache.put(name(1), b"again")
    assert cache.get(name(1)) == b"again"
