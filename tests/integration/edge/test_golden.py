"""Every golden case over real HTTP, twice: the second answer comes from the fast lane where it may."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from preamp.model.ids import new_app_id
from tests.support.edge import Client, World, running_edge
from tests.support.golden import Filler, differences, read_case, request_bytes

CASES = Path(__file__).parent / "cases"
_DATE = re.compile(rb"\r\ndate: [^\r]+")
_BOUNDARY = re.compile(rb"(?:boundary=|--)[0-9a-f]{32}")


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("golden"))
    with running_edge(world, country_header="X-Country", trusted_proxies=("127.0.0.1",)) as running:
        yield running


@pytest.mark.parametrize("path", sorted(CASES.rglob("*.txt")), ids=lambda p: str(p.relative_to(CASES)))
def test_case(edge, path):
    case = read_case(path)
    config = {}
    if case.auth is not None:
        token = base64.b64encode(case.auth.encode()).decode()
        config = {"enable_basic_auth": True, "basic_auth_credentials": token}
    app_id = new_app_id()
    rules = tuple(replace(rule, source=rule.source.replace("{app}", app_id)) for rule in case.rules)
    edge.world.app(app_id=app_id, custom_rules=rules, **config)
    branch_id = edge.world.branch(app_id)
    manifest = None
    if case.files:
        manifest = edge.world.release(app_id, branch_id, 1, case.files, case.headers).manifest
    fill = Filler(app_id, case, manifest)
    for exchange in case.exchanges:
        data, method = request_bytes(exchange, fill)
        replies = []
        for _ in range(2):
            with Client(edge.port) as client:
                client.send(data)
                replies.append(client.read(head=method == "HEAD"))
        wrong = differences(exchange, replies[0], fill)
        assert not wrong, f"{path.name}:{exchange.line}: {case.title}\n" + "\n".join(wrong)
        first, second = (_BOUNDARY.sub(b"B", _DATE.sub(b"", reply.raw)) for reply in replies)
        assert first == second, f"{path.name}:{exchange.line}: the second answer is another one"


def test_there_are_cases_for_each_area():
    areas = {path.parent.name: 0 for path in CASES.rglob("*.txt")}
    assert set(areas) >= {"access", "caching", "clean-urls", "headers", "hosts", "paths", "rules", "transfer"}
