"""Encodings, ranges, header patterns, hosts, paths and the memo, each on its own."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from preamp.edge.encodings import preference
from preamp.edge.fastlane.memo import Memo, Prepared
from preamp.edge.fastlane.wordings import LONGEST, Wording, Wordings
from preamp.edge.headers import HeaderBook
from preamp.edge.hosts import HostName, parse_host
from preamp.edge.paths import as_location, canonical, decoded
from preamp.edge.ranges import MOST, Range, parse_ranges
from preamp.model.custom_headers import HeaderRule


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, ["identity"]),
        ("", ["identity"]),
        ("gzip, deflate, br, zstd", ["br", "gzip", "identity"]),
        ("gzip", ["gzip", "identity"]),
        ("GZIP;Q=1", ["gzip", "identity"]),
        ("x-gzip", ["gzip", "identity"]),
        ("br;q=0.1, gzip;q=0.2", ["gzip", "br", "identity"]),
        ("br;q=0", ["identity"]),
        ("*", ["br", "gzip", "identity"]),
        ("*;q=0", ["identity"]),
        ("*;q=0, gzip", ["gzip", "identity"]),
        ("identity, br;q=0.5", ["identity", "br"]),
        ("br;q=nonsense, gzip", ["gzip", "identity"]),
        (", ,;;q=1", ["identity"]),
    ],
)
def test_accepted_encodings(accept, expected):
    assert list(preference(accept)) == expected


@given(st.text(max_size=60))
def test_any_accept_encoding_allows_identity(accept):
    assert "identity" in preference(accept)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", [Range(0, 0)]),
        ("bytes=0-9", [Range(0, 9)]),
        ("bytes=0-99", [Range(0, 9)]),
        ("bytes=3-", [Range(3, 9)]),
        ("bytes=-3", [Range(7, 9)]),
        ("bytes=-30", [Range(0, 9)]),
        ("bytes=-0", []),
        ("bytes=10-", []),
        ("bytes=20-30", []),
        ("Bytes = 1-2 , 4-5", [Range(1, 2), Range(4, 5)]),
        ("bytes=1-2,20-30", [Range(1, 2)]),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=2-1", None),
        ("bytes=1-2,", None),
        ("bytes=+1-2", None),
        ("bytes=1.5-2", None),
        ("items=1-2", None),
        ("bytes=" + "9" * 30 + "-", None),
        ("bytes=" + ",".join(["0-0"] * (MOST + 1)), None),
        ("bytes=0-9,0-9", None),
    ],
)
def test_ranges(value, expected):
    assert parse_ranges(value, 10) == expected


@given(st.text(alphabet="bytes=-, 0123456789", max_size=40) | st.text(max_size=20), st.integers(0, 50))
def test_ranges_lie_in_the_file(value, size):
    for item in parse_ranges(value, size) or []:
        assert 0 <= item.start <= item.end < size


PATTERNS = [
    ("**", "/a/b.html", True),
    ("**/*", "/", True),
    ("*.json", "/a/b.json", True),
    ("*.json", "/a/b.jsonp", False),
    ("*", "/a/b", True),
    ("/*", "/a/b", False),
    ("/*", "/a", True),
    ("/path/*", "/path/a", True),
    ("/path/*", "/path/a/b", False),
    ("/path/**", "/path/a/b", True),
    ("/path/**", "/other/path/a", False),
    ("/a/**/z", "/a/z", True),
    ("/a/**/z", "/a/b/c/z", True),
    ("path/a.js", "/path/a.js", True),
    ("path/a.js", "/x/path/a.js", False),
    ("/a{b,c}", "/ac", True),
    ("/a{b,c}", "/ad", False),
    ("/a{b", "/a{b", True),
    ("/a.c", "/abc", False),
    ("/a?c", "/abc", True),
    ("/a[b]", "/a[b]", True),
    ("/a[b]", "/ab", False),
    ("**/*.js", "/a.js", True),
    ("**/*.js", "/x/y/a.js", True),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), PATTERNS)
def test_header_patterns(pattern, path, expected):
    book = HeaderBook([HeaderRule(pattern=pattern, headers=(("X", "1"),))])
    assert bool(list(book.matching([path]))) is expected


@given(st.text(alphabet="*/{},?[]ab.", min_size=1, max_size=30))
@example("{{{}}}}{")
def test_any_pattern_can_be_compiled(pattern):
    list(HeaderBook([HeaderRule(pattern=pattern, headers=())]).matching(["/a/b.a"]))


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        ("main.d1.localhost", ("d1", "main")),
        ("MAIN.D1.localhost.:99", ("d1", "main")),
        ("3--main.d1.localhost:7780", ("d1", "3--main")),
        ("d1.localhost", None),
        ("localhost", None),
        (".d1.localhost", None),
        ("main..localhost", None),
        ("a.main.d1.localhost", None),
        ("main.d1.localhost.example.com", None),
        ("main.d1.notlocalhost", None),
        ("[::1]:80", None),
        ("", None),
    ],
)
def test_hosts(authority, expected):
    found = parse_host(authority, "localhost:7780")
    assert found == (HostName(app_id=expected[0], label=expected[1]) if expected else None)


def test_paths_have_one_spelling():
    assert canonical("/caf%c3%a9/%7Ex/%41") == canonical("/caf%C3%A9/~x/A") == "/caf%C3%A9/~x/A"
    assert canonical("/a%2Fb") == "/a%2Fb"
    assert decoded("/%ff") is None
    assert decoded("/a%2525") == "/a%25"


@given(st.text(max_size=30))
def test_a_location_stays_in_the_site_and_in_its_line(text):
    location = as_location("/" + text)
    assert location.isascii()
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert not set(location) & set("\r\n\0 ")


def prepared(size: int) -> Prepared:
    return Prepared(b"", bytes(size))


def test_the_memo_is_bounded_and_forgets_what_was_not_used():
    memo = Memo(100_000)
    first, second = prepared(1000), prepared(1000)
    memo.put(0, first, owner="a")
    memo.put(1, second, owner="a")
    for number in range(2, 200):
        memo.put(number, prepared(1000), owner="a")
        first.renew([], b"")  # it was sent
    assert memo.size <= 100_000
    assert memo.get(0) is first
    assert memo.get(199) is not None
    assert memo.get(1) is None
    assert (first.is_kept, second.is_kept, second.data) == (True, False, b"")
    memo.put("large", prepared(50_000), owner="a")
    assert memo.get("large") is None


def test_the_memo_drops_one_apps_answers():
    memo = Memo(100_000)
    memo.put(1, prepared(10), owner="a")
    memo.put(2, prepared(10), owner="b")
    memo.put(2, prepared(20), owner="b")
    memo.drop("a")
    memo.drop("unknown")
    assert memo.get(1) is None
    assert memo.get(2) is not None
    memo.drop("b")
    assert (len(memo), memo.size, memo._keys) == (0, 0, {})


def test_the_lines_of_a_prepared_answer_are_exchanged():
    answer = Prepared(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n\r\nbody")
    first, second = b"date: 1\r\n", b"date: 22\r\n"
    for lines in (first, second, second, first, b""):
        answer.renew([], lines)
        assert answer.data == b"HTTP/1.1 200 OK\r\n" + lines + b"a: b\r\n\r\nbody"


def test_known_requests_are_bounded_in_bytes():
    wordings = Wordings(limit=10_000)
    answer = prepared(10)
    for number in range(1000):
        wordings.put(b"GET /%d" % number, Wording(answer, None))
        assert wordings.size <= 10_000
    assert wordings.get(b"GET /999") is not None
    assert wordings.get(b"GET /1") is None
    size = wordings.size
    wordings.put(b"GET /999", Wording(prepared(20), None))
    wordings.put(b"GET /" + b"x" * LONGEST, Wording(answer, None))  # nobody would look for it
    assert wordings.size == size
