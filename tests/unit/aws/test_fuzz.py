"""Random requests, raw and nearly right: never a 5xx, never a traceback, always AWS's error form."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from preamp.api.shapes import OPERATION_TYPES
from preamp.aws.authenticate import SignatureAuthenticator
from preamp.aws.errors import UNMODELLED_STATUS
from tests.unit.aws.samples import output_value
from tests.unit.aws.wire import SERVICE, call, make_app


def operation(name):
    output = output_value(SERVICE.operations[name].output, OPERATION_TYPES[name][1])
    return lambda caller, request: output


OPEN = make_app(operation)
LOCKED = make_app(
    operation, authenticator=SignatureAuthenticator(lambda _: None, service="amplify", clock=lambda: 1.8e9)
)
METHODS = st.sampled_from(["GET", "POST", "DELETE"]) | st.text("ABCGETPOS", min_size=1, max_size=6)
SEGMENT = st.sampled_from(
    [b"apps", b"d1", b"branches", b"jobs", b"tags", b"webhooks", b"1", b"", b"..", b"%"]
) | (st.binary(max_size=8).map(lambda raw: raw.replace(b"?", b"").replace(b"/", b"")))
PATHS = st.lists(SEGMENT, max_size=8).map(lambda parts: b"/" + b"/".join(parts)) | st.binary(max_size=30)
ROUTES = st.sampled_from(
    [(o.method, o.uri.replace("{appId}", "d1").replace("{jobId}", "1")) for o in SERVICE.operations.values()]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = sorted({m.name for o in SERVICE.operations.values() for m in o.input.members})
BODIES = st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6).map(lambda d: json.dumps(d).encode())
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
AUTHORIZATION = HEADER | st.builds(
    "AWS4-HMAC-SHA256 Credential={}, SignedHeaders={}, Signature={}".format,
    st.text("ab/0", max_size=12) | st.just("a/20260102/r/amplify/aws4_request"),
    st.text("abhost;", max_size=9),
    HEADER,
)


def check(answer) -> None:
    assert answer.status < 500, answer.body
    assert b"Traceback" not in answer.body
    assert "x-amzn-requestid" in answer.headers
    if answer.status != 200:
        assert answer.error in UNMODELLED_STATUS or answer.error in SERVICE.error_status
        assert isinstance(answer.json["message"], str)


@settings(max_examples=400, deadline=None)
@given(METHODS.filter(lambda m: m != "HEAD"), PATHS, st.binary(max_size=40), st.binary(max_size=60), HEADER)
def test_raw(method: str, path: bytes, query: bytes, body: bytes, content_type: str) -> None:
    check(call(OPEN, method, path, query=query, body=body, headers={"content-type": content_type}))


@settings(max_examples=600, deadline=None)
@given(ROUTES, st.text(min_size=1, max_size=9), BODIES | st.binary(max_size=30))
@example(("POST", "/apps"), "x", b'{"name": "x", "tags": {"\\u0000": "\\u0000"}}')
@example(("POST", "/apps"), "x", b'{"name": ' + b"9" * 6000 + b"}")
def test_nearly_right(route: tuple[str, str], label: str, body: bytes) -> None:
    method, uri = route
    path = "/".join(
        quote(label.encode("utf-8", "replace"), safe="") if part.startswith("{") else part
        for part in uri.split("/")
    )
    check(call(OPEN, method, path, query=quote(label.encode("utf-8", "replace")), body=body))


@settings(max_examples=300, deadline=None)
@given(AUTHORIZATION, HEADER, HEADER, st.binary(max_size=60))
def test_credentials(authorization: str, date: str, stated_hash: str, query: bytes) -> None:
    headers = {"authorization": authorization, "x-amz-date": date, "x-amz-content-sha256": stated_hash}
    answer = call(LOCKED, "GET", "/apps", query=query, headers=headers)
    check(answer)
    assert answer.status in {400, 403}


PARAMETERS = ["Algorithm", "Credential", "SignedHeaders", "Signature", "Date", "Expires"]
VALUES = ["AWS4-HMAC-SHA256", "a/b/c/d/e", "host", "900", "20260102T030405Z", "", "\u0663", "\xe9"]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(PARAMETERS), st.sampled_from(VALUES)))
def test_presigned(parameters: dict[str, str]) -> None:
    query = urlencode({f"X-Amz-{name}": value for name, value in parameters.items()})
    answer = call(LOCKED, "GET", "/apps", query=query)
    check(answer)
    assert answer.status in {400, 403}
