"""The whole control process under random requests: never a 5xx, never a traceback, alive afterwards.

Real operations on a database, real signatures, the routes of Preamp's own, webhooks, presigned URLs. What
succeeds is held to the service model besides (tests/support/control.py). The seed is printed and can be
given again: PREAMP_TEST_SEED=1 PREAMP_TEST_EXAMPLES=5000 pytest tests/integration/api/test_fuzz.py
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, event, given, seed, settings
from hypothesis import strategies as st

from preamp.model.caller import Scope
from preamp.model.quotas import Quota
from preamp.store import quotas
from tests.support.control import ENDPOINT, REPOSITORY, SERVICE, InProcess, exchange, in_process
from tests.unit.aws.samples import BREAKING, wire_value
from tests.unit.aws.test_conformance import SHAPES

SEED = int(os.environ.get("PREAMP_TEST_SEED") or random.randrange(2**32))
EXAMPLES = int(os.environ.get("PREAMP_TEST_EXAMPLES", "150"))
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Target:
    """A control process with one of everything, and a way in."""

    def __init__(self, preamp: InProcess) -> None:
        self.preamp = preamp
        self.loop = asyncio.new_event_loop()
        self.key = preamp.administrator()
        self.limited = preamp.make_key(
            policy=json.dumps({"Statement": [{"Effect": "Allow", "Action": "amplify:Get*", "Resource": "*"}]})
        )
        self.names = self._populate()
        self.urls = self._presigned()

    def _populate(self) -> dict[str, list[str]]:
        client = self.preamp.client()
        scope = Scope(account=self.key.account, region="us-east-1")
        with self.preamp.database.write() as tx:
            for quota in Quota:
                quotas.set_limit(tx.conn, scope, quota, None)
        built = client.create_app(name="built", repository=REPOSITORY, tags={"k": "v"})["app"]
        manual = client.create_app(name="manual")["app"]
        for app in (built, manual):
            client.create_branch(appId=app["appId"], branchName="main")
            client.create_branch(appId=app["appId"], branchName="feature/é x")
        client.start_job(appId=built["appId"], branchName="main", jobType="RELEASE")
        client.create_deployment(appId=manual["appId"], branchName="main", fileMap={"a b.html": "0" * 32})
        hook = client.create_webhook(appId=built["appId"], branchName="main")["webhook"]
        client.create_backend_environment(appId=built["appId"], environmentName="staging")
        client.create_domain_association(
            appId=built["appId"],
            domainName="example.test",
            subDomainSettings=[{"prefix": "www", "branchName": "main"}],
        )
        self.hook = hook["webhookUrl"]
        return {
            "AppId": [built["appId"], manual["appId"]],
            "BranchName": ["main", "feature/é x"],
            "JobId": ["1", "2", "0000000001"],
            "WebhookId": [hook["webhookId"]],
            "EnvironmentName": ["staging"],
            "DomainName": ["example.test", "www.example.test"],
            "ResourceArn": [built["appArn"], f"{built['appArn']}/branches/main"],
        }

    def _presigned(self) -> list[tuple[str, str]]:
        client = self.preamp.client()
        app_id = self.names["AppId"][0]
        made = client.create_deployment(appId=self.names["AppId"][1], branchName="feature/é x")
        links, base = self.preamp.control.services.links, ENDPOINT
        return [
            ("PUT", made["zipUploadUrl"]),
            ("GET", client.generate_access_logs(appId=app_id, domainName="example.test")["logUrl"]),
            ("GET", links.artifacts(base, 1, 1)),
            ("GET", links.test_artifacts(base, 1, 1)),
            ("GET", links.test_artifact(base, 1, 1, 0)),
            ("POST", self.hook),
        ]

    def send(
        self, method: str, path: bytes, query: bytes = b"", *, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """One request, judged."""
        pairs = {"Host": urlsplit(ENDPOINT).netloc, **headers}
        answer = self.loop.run_until_complete(
            exchange(
                self.preamp.control.app,
                {
                    "type": "http",
                    "method": method,
                    "scheme": "http",
                    "path": unquote(path.decode("latin-1")),
                    "raw_path": path,
                    "query_string": query,
                    "headers": [
                        (n.lower().encode("latin-1"), v.encode("latin-1", "replace"))
                        for n, v in pairs.items()
                    ],
                    "client": ("127.0.0.1", 1),
                    "server": ("127.0.0.1", 7732),
                },
                body,
            )
        )
        status, answer_headers, content = answer
        assert status < 500, (method, path, query, content)
        assert b"Traceback (most recent" not in content
        event(f"status {status}")
        length = answer_headers.get("content-length")
        assert length is None or int(length) == len(content) or method == "HEAD" or status == 304
        return answer

    def signed(self, method: str, url: str, body: bytes, *, limited: bool = False) -> dict[str, str]:
        key = self.limited if limited else self.key
        request = AWSRequest(
            method, url, data=body, headers={"Host": urlsplit(ENDPOINT).netloc, "X-Amz-Extra": "1"}
        )
        SigV4Auth(Credentials(key.access_key_id, key.secret), "amplify", "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def alive(self) -> None:
        status, _, body = self.preamp.fetch("GET", f"{ENDPOINT}/_preamp/health")
        assert (status, json.loads(body)["status"]) == (200, "ok")
        assert self.preamp.client().list_apps()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    print(f"PREAMP_TEST_SEED={SEED}")
    with in_process(tmp_path_factory.mktemp("fuzz") / "data") as it:
        found = Target(it)
        yield found
        found.alive()
        found.loop.run_until_complete(found.loop.shutdown_default_executor())
        found.loop.close()


TEXT = st.text(max_size=30) | st.sampled_from(["", "\0", "\ud800", "../..", "%2F", "*", "${x}", "x" * 1001])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def member_values(draw: Any, name: str, target: Target, wild: int) -> Any:
    """What the shape allows, often a name that is really there; in one of `wild` cases anything."""
    if draw(st.integers(1, wild)) == wild:
        return draw(JSON)
    shape = SHAPES[name]
    match shape["type"]:
        case "structure":
            members, required = shape["members"], shape.get("required", ())
            chosen = [one for one in members if one in required or draw(st.integers(0, 2)) == 0]
            return {
                members[one].get("locationName", one): draw(
                    member_values(members[one]["shape"], target, wild)
                )
                for one in chosen
            }
        case "list":
            item = member_values(shape["member"]["shape"], target, wild)
            return draw(st.lists(item, min_size=shape.get("min", 0), max_size=3))
        case "map":
            keys = st.lists(st.text("abz:/._-", min_size=1, max_size=9), max_size=3)
            return {key: draw(member_values(shape["value"]["shape"], target, wild)) for key in draw(keys)}
        case "string":
            if "enum" in shape:
                return draw(st.sampled_from(shape["enum"]))
            valid = [*target.names.get(name, []), wire_value(SHAPES, name), "x", "1", "example.org"]
            if draw(st.integers(1, wild)) == wild:
                return draw(st.sampled_from(BREAKING.get(name, [""])) | TEXT)
            return draw(st.sampled_from(valid[:1] * 3 + valid))
        case "boolean":
            return draw(st.booleans())
        case "integer":
            return draw(st.integers(-1, 101) if wild < 9 else st.integers(1, 50))
        case "timestamp":
            return draw(st.floats(-1e10, 1e12) | st.integers(0, 2**40))
    raise AssertionError(shape["type"])


@st.composite
def api_requests(draw: Any, target: Target) -> tuple[str, str, bytes]:
    """Method, path with query, body of an operation."""
    operation = SERVICE.operations[draw(st.sampled_from(sorted(SERVICE.operations)))]
    path, query, body = operation.uri, [], {}
    wild = draw(st.sampled_from([6, 60, 600]))
    for member in operation.input.members:
        if not member.required and draw(st.integers(0, 3)):
            continue
        value = draw(member_values(member.shape.name, target, wild))
        match member.location.value:
            case "uri":
                text = str(value).encode("utf-8", "replace")
                path = path.replace("{" + member.wire_name + "}", quote(text, safe=""))
            case "querystring":
                values = value if isinstance(value, list) else [value]
                query += [(member.wire_name, str(one).encode("utf-8", "replace")) for one in values]
            case _:
                body[member.wire_name] = value
    content = json.dumps(body).encode() if body else b""
    return operation.method, path + (f"?{urlencode(query, quote_via=quote)}" if query else ""), content


def send_signed(target: Target, method: str, where: str, body: bytes, **more: Any) -> int:
    headers = target.signed(method, ENDPOINT + where, body, **more)
    path, _, query = where.partition("?")
    return target.send(method, path.encode(), query.encode(), headers=headers, body=body)[0]


@seed(SEED)
@bounded
@given(data=st.data(), limited=st.integers(0, 4).map(lambda n: n == 0))
def test_signed_operations(target: Target, data: st.DataObject, limited: bool) -> None:
    method, where, body = data.draw(api_requests(target))
    # Deleting what all examples share would leave nothing to be found.
    kept = [f"/apps/{app_id}" for app_id in target.names["AppId"]]
    if method == "DELETE" and unquote(where.partition("?")[0]) in kept:
        method = "GET"
    status = send_signed(target, method, where, body, limited=limited)
    assert status in {200, 400, 403, 404, 413, 429}, status


METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"])
HEADER_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *(
                "Authorization",
                "X-Amz-Date",
                "Date",
                "X-Amz-Content-Sha256",
                "Content-Type",
                "Content-Length",
            ),
            *("Range", "If-None-Match", "If-Range", "If-Modified-Since", "Accept-Encoding", "Expect", "Host"),
            *("Content-MD5", "Content-Encoding", "X-Forwarded-Host", "Origin", "Cookie"),
        ]
    ),
    HEADER_VALUES
    | st.sampled_from(
        [
            *("bytes=0-", "bytes=5-2", "bytes=-0", "bytes=0-0,1-1", "bytes=9999999999999999999-", "12", "-1"),
            *("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=x", "Basic Og==", "gzip"),
            *(
                "application/json; charset=x",
                "100-continue",
                "Thu, 99 Jan 1970 00:00:00 GMT",
                "webhooks.amplify.eu-west-1.amazonaws.com",
            ),
        ]
    ),
    max_size=4,
)
OWN = [
    *(("GET", path) for path in ["/_preamp/health", "/_preamp/metrics", "/_preamp/explain"]),
    *(("POST", path) for path in ["/_preamp/webhooks", "/prod/webhooks"]),
    *(("GET", path) for path in ["/_preamp", "/_preamp/files/", "/_preamp/files/logs/1/1/1/BUILD"]),
]


def own_routes(target: Target) -> list[tuple[str, str]]:
    """Method and path of everything but the API."""
    return [*OWN, *((it.method, path) for path, it in target.preamp.control.app._own._endpoints.items())]


@st.composite
def own_queries(draw: Any, target: Target) -> str:
    words = [
        "url",
        "method",
        "country",
        "address",
        "header",
        "app",
        "appId",
        "branch",
        "job",
        "from",
        "to",
        "id",
    ]
    words += ["token", "operation", "expires", "signature", "limit", "before", "release", "source", "message"]
    values = [
        *target.names["AppId"],
        *target.names["BranchName"],
        *(
            "1",
            "-1",
            "9" * 12,
            "startbuild",
            "http://[",
            "http://main.x.localhost:7780/a%zz?b=%",
            "GET",
            "DE",
        ),
        *(f"http://main.{target.names['AppId'][0]}.localhost:7780/", "X: y", "::1", "\0", "https://a b/c"),
    ]
    pair = st.tuples(st.sampled_from(words) | TEXT, st.sampled_from(values) | TEXT)
    chosen = draw(st.lists(pair, max_size=6))
    pairs = [(k.encode("utf-8", "replace"), v.encode("utf-8", "replace")) for k, v in chosen]
    return urlencode(pairs, quote_via=quote)  # spaces as %20: signers do not take a + for one


@seed(SEED)
@bounded
@given(data=st.data(), method=METHODS, headers=HEADERS, signed=st.booleans(), body=st.binary(max_size=40))
def test_routes_of_its_own(
    target: Target, data: st.DataObject, method: str, headers: dict[str, str], signed: bool, body: bytes
) -> None:
    right, path = data.draw(st.sampled_from(own_routes(target)))
    query = data.draw(own_queries(target) | st.text("%&=a+\x7f", max_size=12))
    if signed:
        body = b"" if right == "GET" else body
        method, headers = right, target.signed(right, f"{ENDPOINT}{path}?{query}", body)
    target.send(method, path.encode(), query.encode(), headers=headers, body=body)


@seed(SEED)
@bounded
@given(
    url=st.text("[]:@%/.?#\\ a1é", max_size=12).map("http://{}".format) | TEXT,
    more=st.dictionaries(st.sampled_from(["method", "country", "address", "header"]), TEXT, max_size=2),
    there=st.booleans(),
)
def test_explained_urls(target: Target, url: str, more: dict[str, str], there: bool) -> None:
    if there:
        url = url.replace("http://", f"http://main.{target.names['AppId'][0]}.localhost:7780/")
    query = urlencode(
        {k: v.encode("utf-8", "replace") for k, v in {"url": url, **more}.items()}, quote_via=quote
    )
    headers = target.signed("GET", f"{ENDPOINT}/_preamp/explain?{query}", b"")
    target.send("GET", b"/_preamp/explain", query.encode(), headers=headers)


@st.composite
def damaged(draw: Any, url: str) -> tuple[bytes, bytes]:
    """Path and query of a URL, with nothing, a character or a parameter changed."""
    parts = urlsplit(url)
    path, query = bytearray(parts.path.encode()), bytearray(parts.query.encode())
    for _ in range(draw(st.integers(0, 2))):
        part = draw(st.sampled_from([path, query]))
        at = draw(st.integers(1, len(part)))
        match draw(st.integers(0, 2)):
            case 0:
                part[at : at + 1] = (
                    draw(st.binary(min_size=1, max_size=3)).replace(b"?", b"%").replace(b"#", b"%")
                )
            case 1:
                del part[at:]
            case _:
                part += draw(st.sampled_from([b"&expires=1", b"%00", b"&signature=", b"/..", b"%2e%2e/"]))
    return bytes(path), bytes(query)


@seed(SEED)
@bounded
@given(data=st.data(), headers=HEADERS, body=st.binary(max_size=200), method=METHODS, keep=st.integers(0, 3))
def test_presigned_urls(
    target: Target, data: st.DataObject, headers: dict[str, str], body: bytes, method: str, keep: int
) -> None:
    right, url = data.draw(st.sampled_from(target.urls))
    path, query = data.draw(damaged(url))
    headers.pop("Host", None)
    target.send(right if keep else method, path, query, headers=headers, body=body)


@seed(SEED)
@bounded
@given(
    data=st.data(),
    method=METHODS,
    path=st.binary(max_size=40),
    query=st.binary(max_size=40),
    headers=HEADERS,
    body=st.binary(max_size=60),
)
def test_anything(
    target: Target,
    data: st.DataObject,
    method: str,
    path: bytes,
    query: bytes,
    headers: dict[str, str],
    body: bytes,
) -> None:
    raw = b"/" + path.replace(b"?", b"")
    if data.draw(st.booleans()):
        good, where, body = data.draw(api_requests(target))
        method, raw = data.draw(st.sampled_from([method, good])), where.partition("?")[0].encode()
    target.send(method, raw, query, headers=headers, body=body)
