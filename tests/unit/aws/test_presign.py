from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.aws.presign import FileClaim, UrlExpired, UrlForged, UrlSigner

NOW = 1_800_000_000.0


def signer(now: float = NOW) -> UrlSigner:
    return UrlSigner(b"0123456789abcdef", clock=lambda: now)


def parts(url: str) -> tuple[bytes, bytes]:
    split = urlsplit(url)
    return split.path.encode(), split.query.encode()


def url(path: str = "d1/12/log.txt", method="GET") -> str:
    return signer().sign(method, base="http://127.0.0.1:7732", kind="logs", path=path, lifetime_s=60)


def test_form() -> None:
    assert url().startswith(
        "http://127.0.0.1:7732/_preamp/files/logs/d1/12/log.txt?expires=1800000060&signature="
    )


segments = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=20)
paths = st.lists(segments.filter(lambda s: s not in {".", ".."}), min_size=1, max_size=3).map("/".join)


@given(paths)
def test_there_and_back(path: str) -> None:
    claim = signer().verify("GET", *parts(url(path)))
    assert claim == FileClaim(kind="logs", path=path, expires_s=1_800_000_060)


def test_head_is_a_get_and_put_is_not() -> None:
    assert signer().verify("HEAD", *parts(url())).path == "d1/12/log.txt"
    with pytest.raises(UrlForged):
        signer().verify("PUT", *parts(url()))
    assert signer().verify("PUT", *parts(url(method="PUT"))).kind == "logs"
    with pytest.raises(UrlForged):
        signer().verify("GET", *parts(url(method="PUT")))


def test_expiry() -> None:
    assert signer(NOW + 59).verify("GET", *parts(url()))
    with pytest.raises(UrlExpired):
        signer(NOW + 60).verify("GET", *parts(url()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/logs/", "/uploads/"),
        ("log.txt", "log2.txt"),
        ("d1/12", "d1/13"),
        ("d1/12", "d1/../d2/12"),
        ("expires=1800000060", "expires=1900000060"),
        ("expires=1800000060", "expires=1800000060&expires=1900000060"),
        ("expires=", "expires=x"),
        ("signature=", "signature=00&signature="),
        ("signature=", "signed="),
        ("/logs/", "/logs%2"),
        ("/_preamp/files/", "/_preamp/file/"),
    ],
)
def test_forged(old: str, new: str) -> None:
    assert old in url()
    with pytest.raises(UrlForged):
        signer().verify("GET", *parts(url().replace(old, new)))


def test_other_parameters_are_ignored() -> None:
    path, query = parts(url())
    assert signer().verify("GET", path, query + b"&utm=1")


@pytest.mark.parametrize("path", ["", "a//b", "../x", "a/./b", "/a", "a/"])
def test_paths_that_could_be_read_twice_are_not_signed(path: str) -> None:
    with pytest.raises(ValueError, match="empty or dot segment"):
        url(path)


def test_long_urls_are_not_made() -> None:
    with pytest.raises(ValueError, match="at most 1000"):
        url("é" * 200)


def test_bad_kinds_and_secrets() -> None:
    with pytest.raises(ValueError, match="lower-case word"):
        signer().sign("GET", base="http://h", kind="a/b", path="x", lifetime_s=1)
    with pytest.raises(ValueError, match="16 bytes"):
        UrlSigner(b"short")
