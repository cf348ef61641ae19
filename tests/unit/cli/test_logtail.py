from __future__ import annotations

import pytest

from preamp.cli.errors import Unreachable
from preamp.cli.logtail import LogTail
from tests.support.fake_control import FakeControl


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def log(control: FakeControl, request: pytest.FixtureRequest) -> FakeControl:
    control.ranges = request.param
    return control


def test_every_byte_once(log: FakeControl) -> None:
    tail, url = LogTail(), f"{log.url}/_preamp/logs/build"
    assert tail.read(url) == ""  # announced, nothing written
    seen = ""
    for piece in (b"one\n", b"tw", b"", b"o \xc3", b"\xa4\n", b"three"):
        log.logs["build"] = log.logs.get("build", b"") + piece
        seen += tail.read(url)
    assert seen == "one\ntwo ä\nthree"


def test_url_may_be_signed_anew(control: FakeControl) -> None:
    tail = LogTail()
    control.logs["build"] = b"one "
    assert tail.read(f"{control.url}/_preamp/logs/build?signature=1") == "one "
    control.logs["build"] += b"two"
    assert tail.read(f"{control.url}/_preamp/logs/build?signature=2") == "two"


def test_new_attempt_begins_the_log_again(control: FakeControl) -> None:
    tail, url = LogTail(), f"{control.url}/_preamp/logs/build"
    control.logs["build"] = b"first attempt\n"
    tail.read(url)
    control.logs["build"] = b""
    assert tail.read(url) == ""
    control.logs["build"] = b"second\n"
    assert tail.read(url) == "second\n"


def test_server_gone() -> None:
    with pytest.raises(Unreachable, match="cannot be read"):
        LogTail().read("http://127.0.0.1:1/log")


def test_proxies_do_not_stand_before_loopback(control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    control.logs["build"] = b"x"
    assert LogTail().read(f"{control.url}/_preamp/logs/build") == "x"
