"""Random bytes on the control port of a real server: no 5xx, no traceback to the client or in the log, and
the same processes are alive afterwards. The seed is printed and can be given again: PREAMP_TEST_SEED."""

from __future__ import annotations

import os
import random
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.support.preamp import Preamp, running

SEED = int(os.environ.get("PREAMP_TEST_SEED") or random.randrange(2**32))
EXAMPLES = int(os.environ.get("PREAMP_TEST_EXAMPLES", "150"))


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    print(f"PREAMP_TEST_SEED={SEED}")
    with running(tmp_path_factory.mktemp("fuzz") / "data", "--control-processes", "1") as it:
        before = processes(it)
        yield it
        with urllib.request.urlopen(f"{it.control_url}/_preamp/health") as answer:
            assert answer.status == 200
        assert it.client().list_apps()["apps"] == []
        assert processes(it) == before
        assert "Traceback" not in it.log(), it.log()


def processes(preamp: Preamp) -> set[str]:
    """The process ids of the server's children."""
    assert preamp.process is not None
    pid = preamp.process.pid
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def talk(preamp: Preamp, data: bytes) -> bytes:
    """Everything that is answered until the server closes or has nothing more to say."""
    host, port = preamp.control.rsplit(":", 1)
    answer = b""
    with socket.create_connection((host, int(port)), timeout=0.5) as connection:
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                answer += part
        except (TimeoutError, ConnectionError):  # it waits for more, or has had enough
            return answer
    return answer


PATHS = st.sampled_from(
    [
        *(b"/", b"/apps", b"/apps/d1/branches/feature%2Ffoo/jobs", b"/tags/arn%3Aaws", b"/webhooks/x"),
        *(b"/_preamp/health", b"/_preamp/explain?url=x", b"/_preamp/files/logs/1", b"/_preamp/webhooks?id=1"),
        *(b"/prod/webhooks?id=&token=", b"*", b"http://a.test/apps", b"//apps", b"/apps/%", b"/\xff\xfe"),
    ]
)
NAMES = st.sampled_from(
    [
        *(
            b"Authorization",
            b"X-Amz-Date",
            b"Content-Type",
            b"Content-Length",
            b"Transfer-Encoding",
            b"Expect",
        ),
        *(b"Host", b"Upgrade", b"Connection", b"Range", b"Content-Encoding", b"", b"a b"),
    ]
)
VALUES = st.binary(max_size=20) | st.sampled_from(
    [
        *(b"chunked", b"gzip", b"0", b"-1", b"4", b"99999999999999999999", b"100-continue", b"websocket"),
        *(b"Upgrade", b"AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=\xff", b"h2c"),
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(
        st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"get", b"\x16\x03"])
    )
    path = draw(PATHS) + draw(st.just(b"") | st.binary(max_size=10))
    headers = b"".join(
        name + b": " + value + b"\r\n" for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    )
    close = draw(st.sampled_from([b"Connection: close\r\n"] * 3 + [b""]))
    version = draw(st.sampled_from([b" HTTP/1.1"] * 4 + [b" HTTP/1.0", b" HTTP/9", b""]))
    body = draw(
        st.just(b"") | st.binary(max_size=40) | st.sampled_from([b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n"])
    )
    return method + b" " + path + version + b"\r\nHost: a\r\n" + headers + close + b"\r\n" + body


@seed(SEED)
@settings(max_examples=EXAMPLES, deadline=None, print_blob=True)
@given(data=requests() | st.lists(requests(), min_size=2, max_size=3).map(b"".join) | st.binary(max_size=200))
def test_bytes(preamp: Preamp, data: bytes) -> None:
    answer = talk(preamp, data)
    assert not answer.startswith(b"HTTP/1.1 5"), (data, answer)
    assert b"\nHTTP/1.1 5" not in answer, (data, answer)
    assert b"Traceback" not in answer
