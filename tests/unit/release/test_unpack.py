from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preamp.release.errors import ArchiveError
from preamp.release.publish import Limits
from preamp.release.unpack import unpack

LIMITS = Limits(max_bytes=50_000_000, max_files=50)


def entry(name: str, *, mode: int = stat.S_IFREG | 0o644, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = info.orig_filename = name  # past the constructor's own cleaning
    info.external_attr = mode << 16
    info.create_system = system
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def make(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in entries:
            zipped.writestr(entry(name) if isinstance(name, str) else name, data)
    return buffer.getvalue()


@pytest.fixture
def unzip(tmp_path: Path):
    count = iter(range(1_000_000))

    def run(data: bytes, limits: Limits = LIMITS):
        number = next(count)
        archive, folder = tmp_path / f"{number}.zip", tmp_path / f"out{number}"
        archive.write_bytes(data)
        folder.mkdir()
        try:
            return unpack(archive, folder, limits=limits), folder
        finally:
            outside = {p.name for p in tmp_path.iterdir()} - {
                f"{n}{suffix}" for n in range(number + 1) for suffix in (".zip",)
            }
            assert outside <= {f"out{n}" for n in range(number + 1)}

    return run


def listing(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_files_and_folders_come_out(unzip):
    done, folder = unzip(make(("index.html", b"hi"), ("a/", b""), ("a/b.txt", b"there"), ("empty/", b"")))
    assert listing(folder) == {"index.html": b"hi", "a/b.txt": b"there"}
    assert (done.file_count, done.total_bytes, done.warnings) == (2, 7, ())


def test_names_in_utf8_and_in_the_old_code_page(unzip):
    data = make(("čaj/über.html", b"1"))
    _, folder = unzip(data)
    assert listing(folder) == {"čaj/über.html": b"1"}
    old = make(("aeb.html", b"2")).replace(b"aeb.html", b"\x81eb.html")
    _, folder = unzip(old)
    assert listing(folder) == {"üeb.html": b"2"}


def test_permission_bits_of_the_archive_are_dropped(unzip):
    _, folder = unzip(make((entry("tool", mode=stat.S_IFREG | 0o6777), b"#!")))
    assert stat.S_IMODE((folder / "tool").stat().st_mode) & 0o7111 == 0


def test_a_wrapping_folder_is_published_as_it_is_with_a_warning(unzip):
    done, folder = unzip(make(("dist/index.html", b"1"), ("dist/a.js", b"2")))
    assert set(listing(folder)) == {"dist/index.html", "dist/a.js"}
    assert "inside the folder 'dist'" in done.warnings[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil", "points outside"),
        ("a/../../evil", "points outside"),
        ("a/..", "points outside"),
        ("/etc/passwd", "absolute"),
        ("//host/share", "absolute"),
        ("..\\evil", "backslash"),
        ("a\\b", "backslash"),
        ("C:/evil", "drive letter"),
        ("c:evil", "drive letter"),
        ("a//b", "empty part"),
        ("x" * 300, "more than 255 bytes"),
    ],
)
def test_unsafe_names_are_refused_by_name(unzip, name, words):
    with pytest.raises(ArchiveError) as caught:
        unzip(make(("index.html", b"ok"), (name, b"evil")))
    assert words in str(caught.value)
    assert repr(name) in str(caught.value)


def test_a_nul_in_a_name_is_refused(unzip):
    data = make(("index.htmlXevil", b"1")).replace(b"index.htmlXevil", b"index.html\x00evil")
    with pytest.raises(ArchiveError, match="has a NUL in its name"):
        unzip(data)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFBLK, "device, pipe or socket"),
        (stat.S_IFCHR, "device, pipe or socket"),
        (stat.S_IFIFO, "device, pipe or socket"),
        (stat.S_IFSOCK, "device, pipe or socket"),
    ],
)
def test_special_entries_are_refused(unzip, kind, words):
    with pytest.raises(ArchiveError, match=f"'odd' is a.*{words}"):
        unzip(make(("index.html", b"1"), (entry("odd", mode=kind | 0o777), b"/etc/passwd")))


def test_entries_from_windows_have_no_mode(unzip):
    _, folder = unzip(make((entry("a.txt", mode=stat.S_IFLNK | 0o20, system=0), b"1")))
    assert listing(folder) == {"a.txt": b"1"}


def test_duplicates_and_clashes_are_refused(unzip):
    with pytest.raises(ArchiveError, match="'a' twice"):
        unzip(make(("a", b"1"), ("a", b"2")))
    with pytest.raises(ArchiveError, match="'a' twice"):
        unzip(make(("a", b"1"), ("./a", b"2")))
    with pytest.raises(ArchiveError, match="'a' both as a file and as a folder"):
        unzip(make(("a/b", b"1"), ("a", b"2")))
    with pytest.raises(ArchiveError, match="'a' both as a file and as a folder"):
        unzip(make(("a", b"1"), ("a/", b"")))
    _, folder = unzip(make(("a", b"1"), ("A", b"2")))
    assert listing(folder) == {"a": b"1", "A": b"2"}


def test_encrypted_entries_are_refused(unzip):
    data = bytearray(make(("secret.txt", b"1")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ArchiveError, match=r"'secret.txt' is encrypted"):
        unzip(bytes(data))


def test_unsupported_compression_is_refused(unzip):
    data = bytearray(make(("a.txt", b"1")))
    for start in (8, data.index(b"PK\x01\x02") + 10):
        data[start : start + 2] = struct.pack("<H", 97)
    with pytest.raises(ArchiveError, match=r"'a.txt' is compressed by .*97|'a.txt' is compressed by wavpack"):
        unzip(bytes(data))


def test_bombs_are_refused(unzip):
    with pytest.raises(ArchiveError, match=r"'zeros' unpacks to 11000000 bytes.*zip bomb"):
        unzip(make(("zeros", bytes(11_000_000))))
    with pytest.raises(ArchiveError, match="more than 1000 bytes"):
        unzip(make(("a", os.urandom(600)), ("b", os.urandom(600))), Limits(max_bytes=1000, max_files=9))
    with pytest.raises(ArchiveError, match="more than 3 files"):
        unzip(make(*((f"f{n}", b"") for n in range(4))), Limits(max_bytes=1000, max_files=3))
    with pytest.raises(ArchiveError, match="more than 3 folders"):
        unzip(make(*((f"f{n}/", b"") for n in range(9)), ("x", b"")), Limits(max_bytes=1000, max_files=3))


def test_an_archive_that_lies_about_a_size_is_refused(unzip):
    data = bytearray(make(("big", bytes(range(256)) * 100)))
    start = data.index(b"PK\x01\x02") + 24
    data[start : start + 4] = struct.pack("<I", 10)
    with pytest.raises(ArchiveError, match="'big' is damaged"):
        unzip(bytes(data))


def test_a_wrong_checksum_is_refused(unzip):
    data = make((entry("a.txt"), b"hello hello hello"))
    start = data.index(b"PK\x01\x02") + 16
    with pytest.raises(ArchiveError, match=r"'a.txt' is damaged.*CRC"):
        unzip(data[:start] + b"\0\0\0\0" + data[start + 4 :])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"<html>", "not a zip"),
        (b"PK\x03\x04 and then nothing", "is damaged"),
        (make(), "the zip is empty"),
        (make(("only/", b"")), "the zip is empty"),
        (make(("index.html", b"1"))[:-30], "is damaged"),
    ],
)
def test_what_is_no_zip_of_files_is_refused(unzip, data, words):
    with pytest.raises(ArchiveError, match=words):
        unzip(data)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(names=st.lists(st.text("ab./\\:\0é", min_size=1, max_size=8), min_size=1, max_size=4), noise=st.data())
def test_nothing_is_ever_written_outside(unzip, names, noise):
    data = bytearray(make(*((name, b"x") for name in names)))
    if noise.draw(st.booleans()):
        data[noise.draw(st.integers(0, len(data) - 1))] ^= noise.draw(st.integers(1, 255))
    try:
        _, folder = unzip(bytes(data))
    except ArchiveError:
        return
    assert all(b == b"x" for b in listing(folder).values())
