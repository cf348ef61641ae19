"""The edge as a whole: changes, faults, connections, the fast lane."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from preamp.model.apps import CustomRule
from preamp.model.releases import Release
from preamp.store import branches, changes, releases, tables
from preamp.store.database import Database
from tests.support.edge import Client, World, running_edge

_DATE = re.compile(rb"\r\ndate: [^\r]+")


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    with running_edge(World(tmp_path_factory.mktemp("edge"))) as running:
        yield running


def until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.002)


def test_a_new_release_replaces_the_old_one(edge):
    app = edge.world.app()
    branch = edge.world.branch(app)
    host = f"main.{app}.localhost"
    assert "Welcome" in edge.get(host).body.decode()
    edge.world.release(app, branch, 1, {"index.html": b"one", "gone.html": b"1"})
    until(lambda: edge.get(host).body == b"one")
    assert edge.get(host, "/gone").status == 200
    edge.world.release(app, branch, 2, {"index.html": b"two"})
    until(lambda: edge.get(host).body == b"two")
    assert edge.get(host, "/gone").status == 404
    assert edge.get(f"1--main.{app}.localhost", "/gone").status == 200


def test_settings_take_effect_at_once(edge):
    host = edge.world.site({"index.html": b"home"})
    app = host.split(".")[1]
    assert edge.get(host, "/old").status == 404
    rule = CustomRule(source="/old", target="/new", status="302")
    edge.world.change_app(app, custom_rules=(rule,))
    until(lambda: edge.get(host, "/old").status == 302)
    edge.world.change_app(app, custom_rules=(), enable_basic_auth=True, basic_auth_credentials="YTpi")
    until(lambda: edge.get(host).status == 401)
    edge.world.change_app(app, enable_basic_auth=True, basic_auth_credentials=None)
    until(lambda: edge.get(host, "/", "Authorization: Basic YTpi").status == 401)
    edge.world.change_app(app, enable_basic_auth=False)
    until(lambda: edge.get(host).status == 200)


def test_branch_credentials_win(edge):
    app = edge.world.app(enable_basic_auth=True, basic_auth_credentials="YTpi")
    for name, config in {
        "same": {},
        "own": {"enable_basic_auth": True, "basic_auth_credentials": "Yzpk"},
        "open": {"enable_basic_auth": False},
    }.items():
        branch = edge.world.branch(app, name, **config)
        edge.world.release(app, branch, 1, {"index.html": b"home"})

    def status(name: str, token: str) -> int:
        return edge.get(f"{name}.{app}.localhost", "/", f"Authorization: Basic {token}").status

    assert (status("same", "YTpi"), status("same", "Yzpk")) == (200, 401)
    assert (status("own", "YTpi"), status("own", "Yzpk")) == (401, 200)
    assert edge.get(f"open.{app}.localhost").status == 200


def test_a_site_that_appears_after_it_was_asked_for(edge):
    assert edge.get("main.dlater.localhost").status == 404
    edge.world.site({"index.html": b"late"}, app_id="dlater")
    until(lambda: edge.get("main.dlater.localhost").body == b"late")
    assert edge.get("two.dlater.localhost").status == 404
    branch = edge.world.branch("dlater", "two")
    edge.world.release("dlater", branch, 1, {"index.html": b"two"})
    until(lambda: edge.get("two.dlater.localhost").body == b"two")


def test_a_large_file_comes_whole_and_in_ranges(edge):
    data = bytes(range(256)) * 40_000  # 10 MB: sent in pieces
    host = edge.world.site({"big.bin": data})
    assert edge.get(host, "/big.bin").body == data
    part = edge.get(host, "/big.bin", "Range: bytes=1000000-8999999")
    assert (part.status, part.body) == (206, data[1_000_000:9_000_000])
    many = edge.get(host, "/big.bin", "Range: bytes=0-4999999,6000000-8999999")
    assert (many.status, many.headers["content-length"]) == (206, str(len(many.body)))
    assert data[6_000_000:9_000_000] in many.body
    head = edge.get(host, "/big.bin", method="HEAD")
    assert (head.headers["content-length"], head.body) == (str(len(data)), b"")


def test_a_client_that_leaves_in_the_middle_disturbs_nobody(edge):
    host = edge.world.site({"big.bin": bytes(30_000_000), "index.html": b"home"})
    for _ in range(5):
        with edge.client() as client:
            client.send(f"GET /big.bin HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            client.file.read(10_000)
    assert edge.get(host).body == b"home"


def test_pipelined_requests_are_answered_in_order(edge):
    host = edge.world.site(
        {f"{n}.txt": str(n).encode() * 10 for n in range(20)} | {"big.bin": bytes(6_000_000)}
    )
    targets = [f"/{n}.txt" for n in range(20)] + ["/big.bin"] + [f"/{n}.txt" for n in range(20)] + ["/nope"]
    for _ in range(2):  # the second time most come from the fast lane
        with edge.client() as client:
            client.send("".join(f"GET {t} HTTP/1.1\r\nHost: {host}\r\n\r\n" for t in targets).encode())
            replies = [client.read() for _ in targets]
        for target, reply in zip(targets, replies, strict=True):
            if target.endswith(".txt"):
                assert reply.body == target[1:-4].encode() * 10
        assert len(replies[20].body) == 6_000_000
        assert replies[-1].status == 404


def test_garbage_after_a_request_does_not_damage_its_answer(edge):
    host = edge.world.site({"big.bin": bytes(6_000_000)})
    with edge.client() as client:
        client.send(f"GET /big.bin HTTP/1.1\r\nHost: {host}\r\n\r\n\x01\x02garbage\r\n\r\n".encode())
        assert client.read().body == bytes(6_000_000)
        assert client.file.read() == b""  # closed


def test_a_body_that_nobody_reads_is_skipped(edge):
    host = edge.world.site({"index.html": b"home"})
    with edge.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 300000\r\n\r\n".encode())
        client.send(b"x" * 300_000)
        assert client.read().status == 405
        assert client.get(host).body == b"home"
        client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello".encode())
        assert client.read().body == b"home"
        assert client.get(host).body == b"home"


def test_http_1_0_and_close(edge):
    host = edge.world.site({"index.html": b"home"})
    edge.get(host)
    for head in (
        f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    ):
        with edge.client() as client:
            client.send(head.encode())
            reply = client.read()
            assert (reply.body, reply.headers["connection"]) == (b"home", "close")
            assert client.file.read() == b""


def test_upgrades_are_answered_as_plain_requests_and_closed(edge):
    host = edge.world.site({"index.html": b"home"})
    with edge.client() as client:
        client.send(
            f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode()
        )
        assert client.read().body == b"home"
        assert client.file.read() == b""


def test_endless_heads_and_targets_are_refused(edge):
    host = edge.world.site({"index.html": b"home"})
    assert edge.get(host, "/" + "a" * 9000).status == 414
    with edge.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nX: ".encode())
        try:
            for _ in range(400):
                client.send(b"x" * 1000)
                time.sleep(0.0005)
        except OSError:
            pass  # closed already, as it should
        client.sock.settimeout(20)
        try:
            data = client.sock.recv(100)
        except ConnectionResetError:
            data = b""
        assert data == b"" or data.startswith(b"HTTP/1.1 431 ")
    assert edge.get(host).status == 200


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=60).map(lambda b: b"GET " + b + b" HTTP/1.1\r\nHost: main.x.localhost\r\n\r\n"),
        st.binary(max_size=60).map(lambda b: b"GET / HTTP/1.1\r\n" + b + b"\r\n\r\n"),
        st.binary(max_size=60).map(lambda b: b"GET / HTTP/1.1\r\nHost: " + b + b"\r\n\r\n"),
    )
)
def test_any_bytes_get_an_answer_or_a_clean_close(edge, data):
    with edge.client() as client:
        client.send(data)
        client.sock.shutdown(socket.SHUT_WR)
        raw = client.file.read()
    assert raw == b"" or re.match(rb"HTTP/1\.1 [234]\d\d ", raw), raw
    assert edge.get("none", "/_preamp/health").status == 200


PATHS = st.lists(
    st.sampled_from(
        ["..", ".", "", "a", "secret.txt", "index.html", "%2e%2e", "%2F", "..%2f", "%00", "%ff", "\\", "é"]
    ),
    max_size=6,
).map("/".join)


@pytest.fixture(scope="module")
def fenced(edge):
    (edge.world.folder / "secret.txt").write_text("SECRET")
    rule = CustomRule(source="/r/<*>", target="/a/<*>", status="200")
    return edge.world.site({"index.html": b"I", "a/index.html": b"A", "a/b.txt": b"B"}, rules=[rule])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=PATHS, rewritten=st.booleans())
def test_no_path_leaves_the_release(edge, fenced, path, rewritten):
    target = "/r/" + path if rewritten else "/" + path
    with edge.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {fenced}\r\n\r\n".encode())
        reply = client.read()
    assert reply.status in {200, 301, 400, 404}
    if reply.status == 200:
        assert reply.body in {b"I", b"A", b"B"}
    assert not reply.headers.get("location", "").startswith("//")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    target=st.sampled_from(["/", "/a/", "/a", "/a/b.txt", "/big.js", "/nope", "/r/b.txt", "/a/b.txt?x=1"]),
    method=st.sampled_from(["GET", "HEAD"]),
    encoding=st.sampled_from(["br", "gzip", "gzip, br", "identity", "br;q=0", ""]),
    tag=st.sampled_from([None, "*", '"x"', 'W/"y", "z"']),
)
def test_the_fast_lane_gives_the_same_bytes_as_the_application(edge, twins, target, method, encoding, tag):
    slow, fast = twins
    headers = [f"Accept-Encoding: {encoding}"] if encoding else []
    headers += [f"If-None-Match: {tag}"] if tag else []
    replies = [slow.get("main.dtwin.localhost", target, *headers, method=method)]
    replies += [fast.get("main.dtwin.localhost", target, *headers, method=method) for _ in range(2)]
    assert len({_DATE.sub(b"", reply.raw) for reply in replies}) == 1


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """The same site with and without a memory of answers."""
    world = World(tmp_path_factory.mktemp("twins"))
    files = {"index.html": b"I", "a/index.html": b"A", "a/b.txt": b"B", "big.js": b"let a = 1;" * 5000}
    rule = CustomRule(source="/r/<*>", target="/a/<*>", status="200")
    world.site(files, rules=[rule], app_id="dtwin")
    with (
        running_edge(world, memory_bytes=0) as slow,
        running_edge(world) as fast,
        slow.client() as one,
        fast.client() as two,
    ):
        yield one, two


def test_the_edge_serves_on_without_its_database(tmp_path, monkeypatch):
    world = World(tmp_path)
    host = world.site({"index.html": b"home", "other.html": b"other"})

    def away(_database):
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))

    with running_edge(world) as edge:
        assert edge.get(host).body == b"home"
        with monkeypatch.context() as patch:
            patch.setattr(Database, "read", away)
            until(lambda: edge.get("main.dnew.localhost").status == 503)
            time.sleep(0.3)  # a few looks at the change log
            assert edge.get(host).body == b"home"
            assert edge.get(host, "/other").body == b"other"
            assert edge.get("x", "/_preamp/health").status == 200
        world.change_app(host.split(".")[1], enable_basic_auth=True)
        until(lambda: edge.get(host).status == 401)


def test_the_edge_starts_without_a_database(tmp_path):
    world = World(tmp_path)
    host = world.site({"index.html": b"home"})
    with running_edge(world, database=tmp_path / "later.db") as edge:
        reply = edge.get(host)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        world.database.close()
        for file in tmp_path.glob("preamp.db*"):
            file.rename(tmp_path / file.name.replace("preamp", "later"))
        until(lambda: edge.get(host).status == 200)


def test_a_lost_file_is_503_and_a_lost_manifest_keeps_the_old_release(tmp_path):
    world = World(tmp_path)
    app = world.app()
    branch = world.branch(app)
    host = f"main.{app}.localhost"
    done = world.release(app, branch, 1, {"index.html": b"one", "lost.html": b"lost"})
    world.blobs.delete(done.manifest.files["lost.html"].body.blob)
    with running_edge(world) as edge:
        assert edge.get(host).body == b"one"
        reply = edge.get(host, "/lost")
        assert (reply.status, b"blob" in reply.body) == (503, False)
        second = world.published({"index.html": b"two"})
        world.blobs.delete(second.manifest_body.blob)
        world.release(app, branch, 2, second)
        world.change_app(app, custom_rules=(CustomRule(source="/x", target="/y", status="302"),))
        time.sleep(0.5)
        assert edge.get(host).body == b"one"
        world.release(app, branch, 3, {"index.html": b"three"})
        until(lambda: edge.get(host).body == b"three")


def test_a_pruned_change_log_reloads_everything(tmp_path):
    world = World(tmp_path)
    app = world.app()
    branch = world.branch(app)
    world.release(app, branch, 1, {"index.html": b"one"})
    host = f"main.{app}.localhost"
    with running_edge(world) as edge:
        assert edge.get(host).body == b"one"
        done = world.published({"index.html": b"two"})
        time.sleep(0.3)
        with world.database.write() as tx:
            releases.insert_release(
                tx.conn,
                Release(
                    release_id="r2",
                    branch_id=branch,
                    job=2,
                    manifest=done.manifest_body,
                    file_count=1,
                    total_bytes=3,
                    created_ms=0,
                ),
            )
            branches.advance(tx.conn, branch, job=2, release_id="r2")
            changes.record(tx, app, now=0)
            changes.record(tx, "another", now=0)
            last = changes.latest(tx.conn)
            tx.conn.execute(delete(tables.changes).where(tables.changes.c.seq < last))
        until(lambda: edge.get(host).body == b"two")


def test_200_switches_under_64_connections(tmp_path):
    """Clients hammer one site while its release changes; each answer belongs to one release, in order."""
    world = World(tmp_path)
    app = world.app()
    branch = world.branch(app)
    host = f"main.{app}.localhost"
    total = 201
    ready = [
        world.published({"index.html": json.dumps({"n": n, "pad": str(n) * 500}).encode()})
        for n in range(1, total + 1)
    ]
    world.release(app, branch, 1, ready[0])
    done = threading.Event()
    wrong: list[str] = []
    seen: Counter[int] = Counter()

    async def visitor(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        newest = 0
        while not done.is_set():
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head)[1])
            body = json.loads(await reader.readexactly(length))
            if not head.startswith(b"HTTP/1.1 200") or body["pad"] != str(body["n"]) * 500:
                wrong.append(repr(head))
            if body["n"] < newest:
                wrong.append(f"went back from {newest} to {body['n']}")
            newest = body["n"]
            seen[newest] += 1
        writer.close()

    async def crowd(port: int) -> None:
        await asyncio.gather(*(visitor(port) for _ in range(64)))

    with running_edge(world) as edge:
        thread = threading.Thread(target=lambda: asyncio.run(crowd(edge.port)))
        thread.start()
        try:
            for number in range(2, total + 1):
                world.release(app, branch, number, ready[number - 1])
                until(lambda: seen[number])  # noqa: B023 (called at once)
            until(lambda: json.loads(edge.get(host).body)["n"] == total)
        finally:
            done.set()
            thread.join(30)
    assert not wrong
    assert len(seen) >= total - 1


def test_stopping_finishes_the_answers_under_way(tmp_path):
    world = World(tmp_path)
    host = world.site({"big.bin": bytes(20_000_000)})
    with running_edge(world) as edge:
        client = Client(edge.port)
        client.send(f"GET /big.bin HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        first = client.file.read(1000)
        rest: list[bytes] = []
        reading = threading.Thread(target=lambda: rest.append(client.file.read()))
        reading.start()
    reading.join(30)
    client.close()
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert len(first + rest[0]) > 20_000_000


def test_a_page_asked_for_after_a_switch_is_the_new_one(edge):
    """No waiting: once the transaction is committed, no answer of any connection is older than it."""
    app = edge.world.app()
    branch = edge.world.branch(app)
    host = f"main.{app}.localhost"
    ready = [edge.world.published({"index.html": str(n).encode()}) for n in range(1, 31)]
    clients = [edge.client() for _ in range(4)]
    for number, release in enumerate(ready, 1):
        edge.world.release(app, branch, number, release)
        for client in clients:  # together, so that some come while the first one's look is under way
            client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert [client.read().body for client in clients] == [str(number).encode()] * len(clients)
    for client in clients:
        client.close()
