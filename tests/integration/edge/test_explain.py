"""`GET /_preamp/explain`: the decisions of a request, told with their reasons."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from preamp.model.apps import CustomRule
from preamp.model.keys import Key
from preamp.store.folder import DataFolder
from tests.support.compute import STANDARD, manifest, target
from tests.support.control import ENDPOINT, in_process
from tests.support.edge import World

RULES = (
    CustomRule(source="/old", target="/new", status="301"),
    CustomRule(source="/us", target="/states", status="302", condition="<US>"),
    CustomRule(source="/q?id=<id>", target="/i/<id>", status="302"),
    CustomRule(source="https://example.com", target="https://www.example.com", status="302"),
    CustomRule(source="</^\\/x\\d+$/>", target="/index.html", status="200"),
    CustomRule(source="/bad/<*>/x", target="/y", status="301"),
    CustomRule(source="/same", target="/same", status="301"),
    CustomRule(source="/api/<*>", target="https://api.example.com/<*>", status="200"),
    CustomRule(source="/<*>", target="/gone.html", status="404-200"),
    CustomRule(source="/<*>", target="/index.html", status="404-200"),
    CustomRule(source="/<*>", target="/index.html", status="404"),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    data: Path = tmp_path_factory.mktemp("explain") / "data"
    with in_process(data) as process:
        folder = DataFolder(data)
        world = World.on(process.database, folder.root, folder.blobs)
        app = world.app(custom_rules=RULES)
        headers = "customHeaders: [{pattern: '**', headers: [{key: X-Own, value: '1'}]}]"
        world.release(
            app, world.branch(app), 1, {"index.html": b"home", "same": b"", "new.html": b"new"}, headers
        )
        yield process, f"http://main.{app}.localhost:7780"


def ask(process, url: str, key: Key | None = None, sign: bool = True, **more: str) -> tuple[int, object]:
    key = key or process.administrator()
    query = urlencode({"url": url, **more}, quote_via=quote, safe="")
    request = AWSRequest(method="GET", url=f"{ENDPOINT}/_preamp/explain?{query}")
    request.headers["Host"] = "127.0.0.1:7732"
    if sign:
        credentials = Credentials(key.access_key_id, key.secret)
        SigV4Auth(credentials, "amplify", "us-east-1").add_auth(request)
    status, _, body = process.fetch("GET", request.url, headers=dict(request.headers))
    return status, json.loads(body) if status == 200 else body.decode()


def test_a_file(served):
    process, site = served
    status, told = ask(process, f"{site}/new")
    assert status == 200
    assert (told["status"], told["file"], told["rule"], told["job"]) == (200, "new.html", None, 1)
    assert told["decided_by"] == "the files of the release"
    assert dict(told["headers"])["x-own"] == "1"
    reasons = {rule["number"]: rule["reason"] for rule in told["skipped"]}
    assert reasons[1] == "the path is another one"
    assert reasons[2] == "only for US; the visitor's country is unknown"
    assert reasons[4] == "only for https://example.com"
    assert reasons[5] == "the expression does not match the path"
    assert reasons[6].startswith("ignored: `<*>` may stand only once")
    assert reasons[9] == "only when nothing else answers, and a file does"


def test_a_redirect_hides_later_rules(served):
    process, site = served
    told = ask(process, f"{site}/old")[1]
    assert (told["status"], told["rule"], told["rule_text"]) == (301, 1, "/old -> /new 301")
    assert (dict(told["headers"])["location"], told["skipped"]) == ("/new", [])


def test_conditions_queries_and_rules_that_lead_to_themselves(served):
    process, site = served
    assert ask(process, f"{site}/us", country="us")[1]["rule"] == 2
    assert ask(process, f"{site}/q?id=7")[1]["rule"] == 3
    reasons = {rule["number"]: rule["reason"] for rule in ask(process, f"{site}/q")[1]["skipped"]}
    assert reasons[3] == "the query is not id=<id>"
    reasons = {rule["number"]: rule["reason"] for rule in ask(process, f"{site}/same")[1]["skipped"]}
    assert reasons[7] == "it would redirect to the URL that was asked for"


def test_a_miss(served):
    process, site = served
    told = ask(process, f"{site}/nothing")[1]
    assert (told["status"], told["rule"], told["file"]) == (404, 10, "index.html")
    assert told["decided_by"] == "a rule with 404 or 404-200, since nothing answers the path"
    reasons = {rule["number"]: rule["reason"] for rule in told["skipped"]}
    assert reasons[9] == "its target does not exist, or is the URL that was asked for"
    assert 11 not in reasons


def test_another_server(served):
    process, site = served
    told = ask(process, f"{site}/api/v1?x=1")[1]
    assert (told["forwards_to"], told["status"], told["rule"]) == ("https://api.example.com/v1?x=1", None, 8)


@pytest.fixture
def bundle(tmp_path):
    with in_process(tmp_path / "data") as process:
        folder = DataFolder(tmp_path / "data")
        world = World.on(process.database, folder.root, folder.blobs)
        rules = (
            CustomRule(source="/api/<*>", target="/v1/<*>", status="200"),
            CustomRule(source="/<*>", target="/logo.svg", status="404-200"),
        )
        app = world.app(custom_rules=rules)
        image = {"path": "/_image", "target": target("ImageOptimization")}
        routes = manifest(image, *STANDARD["routes"])
        done = world.published({"logo.svg": b"<svg/>"}, deploy_manifest=routes)
        world.release(app, world.branch(app), 1, done)
        yield process, f"http://main.{app}.localhost:7780"


def test_routes_of_a_bundle(bundle):
    process, site = bundle
    told = ask(process, f"{site}/logo.svg")[1]
    assert told["decided_by"] == "a route of the release's deploy manifest"
    assert (told["route"], told["route_text"]) == (2, "/*.* -> Static, else Compute")
    assert (told["status"], told["file"], told["rule"]) == (200, "logo.svg", None)
    assert dict(told["headers"])["cache-control"] == "public, max-age=2"
    reasons = {rule["number"]: rule["reason"] for rule in told["skipped"]}
    assert reasons[2] == "only when nothing else answers, and a route does"

    told = ask(process, f"{site}/page")[1]
    assert (told["route"], told["route_text"]) == (3, "/* -> Compute")
    assert (told["status"], told["file"], told["headers"]) == (None, None, [])
    assert told["asks"] == "the server of the release"

    told = ask(process, f"{site}/_image?url=/logo.svg")[1]
    assert (told["route_text"], told["status"]) == ("/_image -> ImageOptimization", None)
    assert told["asks"] == "image optimisation"

    told = ask(process, f"{site}/api/x")[1]
    assert (told["rule"], told["route"], told["status"]) == (1, 3, None)

    told = ask(process, f"{site}/logo.svg", method="POST")[1]
    assert (told["status"], told["route"]) == (405, None)


def test_only_who_may_see_the_app(served):
    process, site = served
    assert ask(process, f"{site}/", sign=False)[0] == 403
    nothing = '{"Statement": {"Effect": "Allow", "Action": "amplify:ListApps", "Resource": "*"}}'
    assert ask(process, f"{site}/", process.make_key(policy=nothing))[0] == 403
    assert ask(process, f"{site}/", process.make_key(account="111111111111", name="eve"))[0] == 404


@pytest.mark.parametrize(
    ("url", "status"),
    [("/only/a/path", 400), ("http://main.dnone.localhost:7780/", 404), ("http://example.org/", 404)],
)
def test_urls_of_no_site(served, url, status):
    process, _ = served
    assert ask(process, url)[0] == status
