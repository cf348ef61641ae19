"""Every golden case over real HTTP, twice: the second answer comes from the fast lane where it may."""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from preamp.model.hosting import AccessList
from preamp.model.ids import new_app_id
from tests.support.compute import FakeCompute, manifest
from tests.support.edge import Client, World, running_edge
from tests.support.golden import Case, Filler, differences, read_case, request_bytes
from tests.support.upstream import running_upstream

CASES = Path(__file__).parent / "cases"
_DATE = re.compile(rb"\r\ndate: [^\r]+")
_BOUNDARY = re.compile(rb"(?:boundary=|--)[0-9a-f]{32}")


@pytest.fixture(scope="module")
def upstream():
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("golden"))
    server = world.folder / "server.sock"
    with (
        running_upstream(path=str(server)),
        running_edge(
            world,
            country_header="X-Country",
            trusted_proxies=("127.0.0.1",),
            proxy_networks=("127.0.0.0/8",),
            compute=FakeCompute(server),
        ) as running,
    ):
        yield running


def prepare(world: World, case: Case, upstream: str) -> Filler:
    """The site of a case."""
    fill = Filler(new_app_id(), case, None, upstream)
    config = {} if case.auth is None else _credentials(case.auth)
    rules = tuple(replace(rule, source=fill(rule.source), target=fill(rule.target)) for rule in case.rules)
    world.app(app_id=fill.app_id, custom_rules=rules, **config)
    access = AccessList(allow=case.allow, deny=case.deny)
    world.app_hosting(fill.app_id, access=access, immutable_assets=case.immutable)
    config = {} if case.branch_auth is None else _credentials(case.branch_auth)
    branch_id = world.branch(fill.app_id, enable_skew_protection=case.skew, **config)
    access = AccessList(allow=case.branch_allow, deny=case.branch_deny)
    world.branch_hosting(fill.app_id, access=access, maintenance=case.maintenance)
    for host in case.domains:
        world.domain(fill.app_id, branch_id, fill(host))
    for job, (files, headers) in enumerate(case.earlier, 1):
        world.release(fill.app_id, branch_id, job, files, headers)
    if case.files or case.routes:
        deploy_manifest = manifest(*case.routes) if case.routes else None
        done = world.published(case.files, case.headers, case.app_root, deploy_manifest=deploy_manifest)
        world.release(fill.app_id, branch_id, len(case.earlier) + 1, done)
        fill.manifest = done.manifest
    return fill


def _credentials(text: str) -> dict[str, object]:
    if text == "off":
        return {"enable_basic_auth": False}
    token = base64.b64encode(text.encode()).decode() if text != "unset" else None
    return {"enable_basic_auth": True, "basic_auth_credentials": token}


@pytest.mark.parametrize("path", sorted(CASES.rglob("*.txt")), ids=lambda p: str(p.relative_to(CASES)))
def test_case(edge, upstream, path):
    case = read_case(path)
    fill = prepare(edge.world, case, upstream.url)
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
    areas = Counter(path.parent.name for path in CASES.rglob("*.txt"))
    assert sum(areas.values()) >= 250
    assert set(areas) >= {
        *("access", "caching", "clean-urls", "domains", "headers", "hosts", "maintenance", "misses"),
        *("paths", "proxy", "routes", "rules", "skew", "transfer"),
    }
