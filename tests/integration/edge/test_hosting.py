"""What is kept beside the API takes effect at once: domains, lists, maintenance, logs, memory."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest

from preamp.edge.countries import CountryError
from preamp.model.apps import CustomRule
from preamp.model.hosting import AccessList
from preamp.store import changes, domains
from preamp.store.access_logs import COLUMNS, HEADER, AccessLogFolder, Window
from tests.support.edge import World, running_edge
from tests.support.mmdb import write_mmdb


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    with running_edge(
        World(tmp_path_factory.mktemp("hosting")), trusted_proxies=("127.0.0.1/32",)
    ) as running:
        yield running


def until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.01)


def test_a_custom_domain_comes_and_goes_without_waiting(edge):
    app = edge.world.app()
    branch = edge.world.branch(app)
    edge.world.release(app, branch, 1, {"index.html": b"home"})
    assert edge.get("www.one.example").status == 404
    domain = edge.world.domain(app, branch, "www.one.example")
    assert edge.get("www.one.example").body == b"home"
    assert edge.get("www.one.example").body == b"home"  # from memory
    with edge.world.database.write() as tx:
        domains.delete_domain(tx.conn, domain)
        changes.record(tx, app, now=0)
    assert edge.get("www.one.example").status == 404


def test_a_custom_host_moves_to_another_branch_and_another_app(edge):
    first, second = edge.world.app(), edge.world.app()
    one, two = edge.world.branch(first), edge.world.branch(first, "dev")
    three = edge.world.branch(second)
    for app, branch, text in ((first, one, b"one"), (first, two, b"two"), (second, three, b"three")):
        edge.world.release(app, branch, 1, {"index.html": text})
    domain = edge.world.domain(first, one, "www.two.example")
    assert edge.get("www.two.example").body == b"one"
    with edge.world.database.write() as tx:
        domains.set_branch(tx.conn, domain, "www", two)
        changes.record(tx, first, now=0)
    assert edge.get("www.two.example").body == b"two"
    with edge.world.database.write() as tx:
        domains.delete_domain(tx.conn, domain)
        changes.record(tx, first, now=0)
    edge.world.domain(second, three, "www.two.example")
    assert edge.get("www.two.example").body == b"three"


def test_a_name_of_its_own_goes_before_a_wildcard(edge):
    app = edge.world.app()
    one, two = edge.world.branch(app), edge.world.branch(app, "dev")
    edge.world.release(app, one, 1, {"index.html": b"one"})
    edge.world.release(app, two, 1, {"index.html": b"two"})
    edge.world.domain(app, one, "*.three.example")
    edge.world.domain(app, two, "dev.three.example")
    assert edge.get("any.three.example").body == b"one"
    assert edge.get("dev.three.example").body == b"two"


def test_lists_and_maintenance_take_effect_at_once(edge):
    host = edge.world.site({"index.html": b"home"})
    app = host.split(".")[1]
    visitor = "X-Forwarded-For: 192.0.2.1"
    assert edge.get(host, "/", visitor).status == 200
    edge.world.app_hosting(app, access=AccessList(deny=("192.0.2.0/24",)))
    assert edge.get(host, "/", visitor).status == 403
    edge.world.app_hosting(app)
    edge.world.branch_hosting(app, maintenance="Later.")
    assert edge.get(host, "/", visitor).status == 503
    edge.world.branch_hosting(app)
    assert edge.get(host, "/", visitor).status == 200


def test_headers_of_strangers_are_not_believed(tmp_path):
    world = World(tmp_path)
    rule = CustomRule(source="/", target="/us", status="302", condition="<US>")
    host = world.site({"index.html": b"home"}, rules=[rule])
    world.app_hosting(host.split(".")[1], access=AccessList(deny=("192.0.2.0/24",)))
    with running_edge(world, country_header="X-Country") as edge:
        assert edge.get(host, "/", "X-Forwarded-For: 192.0.2.1", "X-Country: US").status == 200


def test_the_country_comes_from_a_database(tmp_path):
    world = World(tmp_path)
    rules = [
        CustomRule(source="/", target=f"/{code}", status="302", condition=f"<{code}>")
        for code in ("US", "DE")
    ]
    host = world.site({"index.html": b"home"}, rules=rules)
    file = write_mmdb(tmp_path / "countries.mmdb", {"192.0.2.0/24": "US", "2001:db8::/32": "DE"})
    with running_edge(
        world, country_database=file, country_header="X-Country", trusted_proxies=("127.0.0.1/32",)
    ) as edge:

        def location(*headers: str) -> str | None:
            return edge.get(host, "/", *headers).headers.get("location")

        assert location("X-Forwarded-For: 192.0.2.9") == "/US"
        assert location("X-Forwarded-For: 2001:db8::9") == "/DE"
        assert location("X-Forwarded-For: 198.51.100.1") is None
        assert location("X-Forwarded-For: 192.0.2.9", "X-Country: DE") == "/DE"  # the header goes first


def test_a_country_database_that_is_none(tmp_path):
    file = tmp_path / "no.mmdb"
    file.write_bytes(b"not a database")
    with (
        pytest.raises(CountryError, match="country_database"),
        running_edge(World(tmp_path), country_database=file),
    ):
        pass


def lines_of(folder: Path, app: str, domain: str) -> list[dict[str, str]]:
    now = int(time.time())
    data = b"".join(AccessLogFolder(folder).csv(app, domain, Window(first_s=now - 3600, last_s=now + 5)))
    assert data.startswith(HEADER)
    rows = list(csv.reader(io.StringIO(data.decode())))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


def test_every_answer_is_logged(tmp_path):
    world = World(tmp_path)
    logs = tmp_path / "access"
    host = world.site({"index.html": b"home", "big.bin": bytes(9_000_000)})
    app = host.split(".")[1]
    branch = world.branch(app, "dev")
    world.release(app, branch, 1, {"index.html": b"dev"})
    world.domain(app, branch, "*.logs.example")
    with running_edge(world, access_logs=logs, trusted_proxies=("127.0.0.1/32",)) as edge:
        with edge.client() as client:
            for _ in range(3):  # the second and third from the fast lane
                client.get(
                    host,
                    "/?a=1",
                    "User-Agent: Test (x, y)",
                    "Referer: http://r/",
                    "X-Forwarded-For: 192.0.2.9",
                )
            client.get(host, "/gone")
            client.get(host, "/big.bin", "Range: bytes=5-9", "Cookie: a=1; b=2")
            client.get(host, "/", method="HEAD")
            assert len(client.get(host, "/big.bin").body) == 9_000_000
        edge.get("any.logs.example")
        edge.get("none.example")
        edge.get(f"main.{app}.localhost", "/_preamp/health")
        until(lambda: len(lines_of(logs, app, "localhost")) == 7)  # while it runs
    lines = lines_of(logs, app, host)
    assert [line["sc-status"] for line in lines] == ["200", "200", "200", "404", "206", "200", "200"]
    first, second, third, gone, part, head, big = lines
    for line in (first, second, third):
        assert (line["c-ip"], line["cs(User-Agent)"]) == ("192.0.2.9", "Test%20\\(x%20y\\)")
        assert (line["cs-uri-stem"], line["cs-uri-query"]) == ("/", "a=1")
        assert (line["cs(Referer)"], line["x-forwarded-for"]) == ("http://r/", "192.0.2.9")
        assert (line["x-edge-result-type"], line["sc-content-type"]) == ("Hit", "text/html;%20charset=utf-8")
        assert (line["sc-content-len"], line["cs-method"], line["x-host-header"]) == ("4", "GET", host)
    same = set(COLUMNS) - {"date", "time", "time-taken", "time-to-first-byte"}
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    assert (gone["x-edge-result-type"], gone["cs(User-Agent)"]) == ("Error", "-")
    assert (part["sc-range-start"], part["sc-range-end"], part["cs(Cookie)"]) == ("5", "9", "a=1;%20b=2")
    assert (head["cs-method"], int(head["sc-bytes"]) < 500) == ("HEAD", True)
    assert int(big["sc-bytes"]) > 9_000_000
    assert [line["x-host-header"] for line in lines_of(logs, app, "logs.example")] == ["any.logs.example"]


def test_sizes_in_the_log_are_those_on_the_wire(tmp_path):
    world = World(tmp_path)
    logs = tmp_path / "access"
    host = world.site({"index.html": b"home" * 100})
    with running_edge(world, access_logs=logs) as edge, edge.client() as client:
        replies = [client.get(host, target) for target in ("/", "/", "/gone", "/gone")]
        until(lambda: len(lines_of(logs, host.split(".")[1], host)) == 4)
    lines = lines_of(logs, host.split(".")[1], host)
    for line, reply in zip(lines, replies, strict=True):
        assert abs(int(line["sc-bytes"]) - len(reply.raw)) <= 12  # the reason phrase is not counted
        assert int(line["cs-bytes"]) == len(f"GET {line['cs-uri-stem']} HTTP/1.1\r\nHost: {host}\r\n\r\n")


def test_apps_that_nobody_asks_for_are_forgotten(tmp_path, monkeypatch):
    world = World(tmp_path)
    host = world.site({"index.html": b"home"})
    from preamp.edge.table import SiteTable

    tables: list[SiteTable] = []
    begin = SiteTable.__init__
    monkeypatch.setattr(
        SiteTable, "__init__", lambda self, *a, **k: (begin(self, *a, **k), tables.append(self))[0]
    )
    with running_edge(world, idle_app_seconds=1.2) as edge:
        app, label = host.split(".")[1], "main"
        assert edge.get(host).body == b"home"
        assert tables[0].peek(app, label) is not None
        until(lambda: tables[0].peek(app, label) is None)
        assert edge.get(host).body == b"home"
        end = time.monotonic() + 1.5
        while time.monotonic() < end:  # answers from memory count as asking
            assert edge.get(host).body == b"home"
            assert tables[0].peek(app, label) is not None
