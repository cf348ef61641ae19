"""The application as a whole, in process: framing, errors, threads, observers."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from preamp.api import shapes
from preamp.aws.asgi import Limits
from preamp.aws.authenticate import Identity
from preamp.aws.authorise import Authoriser
from preamp.aws.handlers import OperationBinding, processing
from preamp.aws.policies import Target
from preamp.aws.policy_conditions import Facts
from preamp.aws.service import ModelError
from preamp.model.errors import (
    AmplifyError,
    BadRequest,
    DependentServiceFailure,
    LimitExceeded,
    NotFound,
    ResourceNotFound,
)
from preamp.model.keys import Key
from preamp.server.logs import JsonLines
from tests.unit.aws.wire import KEY, SERVICE, call, everyone_is_ann, exchange, http_scope, make_app

JOBS = "/apps/d1/branches/main/jobs"


def answering(output):
    def operation(name):
        return lambda caller, request: output

    return operation


def raising(error: Exception):
    def operation(name):
        def run(caller, request):
            raise error

        return run

    return operation


def test_a_typed_input_arrives_and_a_typed_output_leaves() -> None:
    seen = []

    def operation(name):
        def run(caller, request):
            seen.append((name, caller, request))
            summary = shapes.JobSummary(
                job_arn="arn",
                job_id="1",
                commit_id="HEAD",
                commit_message="",
                commit_time=1600408195.766,
                start_time=1600408195.0,
                status="PENDING",
                job_type="RELEASE",
            )
            return shapes.StartJobResult(job_summary=summary)

        return run

    body = {"jobType": "RELEASE", "commitTime": 1704164645, "jobReason": None, "later": {"x": 1}}
    answer = call(make_app(operation), "POST", "/apps/d1/branches/a%2Fb/jobs", body=body)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["jobSummary"]["commitTime"] == 1600408195.766
    assert "endTime" not in answer.json["jobSummary"]
    ((name, caller, request),) = seen
    assert name == "StartJob"
    assert request == shapes.StartJobRequest(
        app_id="d1", branch_name="a/b", job_type="RELEASE", commit_time=1704164645.0
    )
    assert caller.endpoint == "http://127.0.0.1:7732"
    assert caller.request_id == answer.headers["x-amzn-requestid"]
    assert caller.arn == "arn:aws:iam::123456789012:user/ann"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest("Some reason"), 400),
        (NotFound("App d1 not found."), 404),
        (LimitExceeded("Too many"), 429),
    ],
)
def test_errors_of_operations(error: AmplifyError, status: int) -> None:
    answer = call(make_app(raising(error)), "GET", JOBS)
    assert (answer.status, answer.error, answer.json) == (status, error.code, {"message": error.message})
    assert answer.headers["x-amzn-requestid"]


def test_resource_not_found_repeats_its_code() -> None:
    answer = call(make_app(raising(ResourceNotFound("gone"))), "GET", "/tags/arn%3Aaws%3Aamplify%3Ax")
    assert answer.json == {"code": "ResourceNotFoundException", "message": "gone"}
    assert answer.status == 404


def test_long_messages_are_cut_at_the_models_limit() -> None:
    answer = call(make_app(raising(BadRequest("x" * 300))), "GET", JOBS)
    assert len(answer.message) == 255


def test_half_a_surrogate_pair_in_a_message_does_not_break_the_answer() -> None:
    assert call(make_app(raising(NotFound("Branch \ud800 not found."))), "GET", JOBS).status == 404


class UndefinedCode(AmplifyError):
    code = "NobodyDefinedThisException"


@pytest.mark.parametrize("error", [RuntimeError("secret detail"), UndefinedCode("secret detail")])
def test_unexpected_exceptions_are_logged_not_shown(error: Exception, caplog) -> None:
    with caplog.at_level(logging.ERROR, logger="preamp.aws"):
        answer = call(make_app(raising(error)), "GET", JOBS)
    assert answer.status == 500
    assert answer.error == "InternalFailureException"
    assert b"secret" not in answer.body
    assert answer.headers["x-amzn-requestid"] in answer.message
    assert "secret detail" in caplog.text
    assert "Traceback" in caplog.text


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a process prints of the wire layer, as JSON."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonLines("control"))
    logger = logging.getLogger("preamp.aws")
    logger.addHandler(handler)
    yield handler.stream
    logger.removeHandler(handler)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    ("error", "text"),
    [(RuntimeError("x"), "ListJobs failed"), (DependentServiceFailure("no disk"), "no disk")],
)
def test_the_log_line_of_a_failed_call_has_the_id_that_the_client_was_told(
    error: Exception, text: str, inline: bool, logged: io.StringIO
) -> None:
    answer = call(make_app(raising(error), inline=inline), "GET", "/apps/d1/branches/a%2Fb/jobs")
    (line,) = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert text in line["message"]
    assert line["request_id"] == answer.headers["x-amzn-requestid"]
    assert (line["operation"], line["app_id"], line["branch_name"]) == ("ListJobs", "d1", "a/b")


def test_what_the_client_did_wrong_is_not_logged(logged: io.StringIO) -> None:
    assert call(make_app(raising(BadRequest("x"))), "GET", JOBS).status == 400
    assert call(make_app(answering(None)), "GET", "/nothing").status == 404
    assert logged.getvalue() == ""


@pytest.mark.parametrize(
    ("body", "headers", "error", "text"),
    [
        (b"{", {}, "SerializationException", "not valid JSON"),
        (b"[]", {}, "SerializationException", "must be a JSON object"),
        (b'"x"', {}, "SerializationException", "must be a JSON object"),
        (b"\xff", {}, "SerializationException", "not valid JSON"),
        (b'{"name":"\xff"}', {}, "SerializationException", "not valid JSON"),
        (b'{"name":"\\ud800"}', {}, "SerializationException", "not valid JSON"),
        (b"[" * 100_000, {}, "SerializationException", "too deeply"),
        (b'{"name":NaN}', {}, "SerializationException", "not valid JSON"),
        (b"{}", {"content-type": "text/plain"}, "SerializationException", "content type"),
        (
            b"name=x",
            {"content-type": "application/x-www-form-urlencoded"},
            "SerializationException",
            "content",
        ),
        (b"", {}, "BadRequestException", "'name'"),
        (b"null", {}, "BadRequestException", "'name'"),
        (b"{}", {"content-type": "application/json; charset=utf-8"}, "BadRequestException", "'name'"),
        (b"{}", {"content-type": "application/x-amz-json-1.1"}, "BadRequestException", "'name'"),
    ],
)
def test_bad_bodies(body: bytes, headers: dict[str, str], error: str, text: str) -> None:
    answer = call(make_app(answering(None)), "POST", "/apps", body=body, headers=headers)
    assert (answer.status, answer.error) == (400, error)
    assert text in answer.message


def test_bodies_over_the_limit() -> None:
    app = make_app(answering(None), limits=Limits(max_body_bytes=100))
    stated = call(app, "POST", "/apps", body=b"{}", headers={"content-length": "101"})
    counted = call(app, "POST", "/apps", chunks=[b"x" * 60, b"x" * 60])
    for answer in (stated, counted):
        assert (answer.status, answer.error) == (413, "RequestEntityTooLargeException")
        assert answer.headers["connection"] == "close"
    assert call(app, "POST", "/apps", chunks=[b" " * 50, b"{}" + b" " * 48]).status == 400


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "PUT", "TRACE", "BREW"])
def test_other_methods(method: str) -> None:
    answer = call(make_app(answering(None)), method, "/apps")
    assert (answer.status, answer.error) == (404, "UnknownOperationException")
    assert (answer.body == b"") == (method == "HEAD")


@pytest.mark.parametrize("query", [b"maxResults=%", b"nextToken=%ff", b"%zz=1"])
def test_bad_queries(query: bytes) -> None:
    answer = call(make_app(answering(None)), "GET", "/apps", query=query)
    assert (answer.status, answer.error) == (400, "BadRequestException")
    assert "query string" in answer.message


def test_operations_without_a_binding_say_so() -> None:
    app = make_app(answering(None), only={"GetApp"})
    answer = call(app, "GET", "/apps")
    assert (answer.status, answer.error) == (501, "NotImplementedException")
    assert "ListApps" in answer.message


@pytest.mark.parametrize("host", ["evil.com/x", "a b", "", "h:99999999", "[::1"])
def test_hosts_that_would_break_urls(host: str) -> None:
    answer = call(make_app(answering(None)), "GET", "/apps", headers={"host": host})
    assert (answer.status, answer.error) == (400, "BadRequestException")


def test_the_endpoint_setting_wins_over_the_host() -> None:
    seen = []

    def operation(name):
        return lambda caller, request: seen.append(caller.endpoint) or shapes.ListAppsResult(apps=())

    call(make_app(operation, endpoint="https://preamp.example/"), "GET", "/apps")
    call(make_app(operation), "GET", "/apps", headers={"host": "[::1]:7732"})
    assert seen == ["https://preamp.example", "http://[::1]:7732"]


def test_operations_run_in_threads_unless_inline() -> None:
    threads = []

    def operation(name):
        return lambda caller, request: (
            threads.append(threading.current_thread().name) or (shapes.ListAppsResult(apps=()))
        )

    pooled = make_app(operation, inline=False)
    assert call(pooled, "GET", "/apps").json == {"apps": []}
    call(make_app(operation), "GET", "/apps")
    pooled.close()
    assert threads[0].startswith("operation")
    assert threads[1] == threading.current_thread().name


def test_observers_see_every_exchange_and_cannot_break_it(caplog) -> None:
    seen = []

    def broken(exchange):
        raise RuntimeError("observer")

    app = make_app(
        answering(shapes.ListAppsResult(apps=())),
        observers=[broken, seen.append],
        limits=Limits(max_body_bytes=9),
    )
    statuses = [
        call(app, "GET", "/apps").status,
        call(app, "GET", "/nowhere").status,
        call(app, "GET", "/apps", query=b"maxResults=999").status,
        call(app, "POST", "/apps", body=b"x" * 10).status,
    ]
    assert statuses == [200, 404, 400, 413]
    assert [exchange.response.status for exchange in seen] == statuses
    assert [exchange.operation for exchange in seen] == ["ListApps", None, "ListApps", "CreateApp"]
    assert all(exchange.elapsed_ns > 0 for exchange in seen)
    assert [exchange.error.code if exchange.error else None for exchange in seen] == [
        None,
        "UnknownOperationException",
        "BadRequestException",
        "RequestEntityTooLargeException",
    ]


def test_a_client_that_goes_away_in_its_body_gets_no_answer() -> None:
    app = make_app(answering(None))
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(http_scope("POST", "/apps"), receive, send))
    assert sent == []


def test_lifespan_and_websockets() -> None:
    app = make_app(answering(None))
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent = []

    async def receive():
        return next(incoming)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    asyncio.run(app({"type": "websocket"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]


def test_bindings_are_checked_at_start() -> None:
    def binding(**types):
        return OperationBinding(function=print, **types)

    good = {"input_type": shapes.GetAppRequest, "output_type": shapes.GetAppResult}
    for name, types in (
        ("NoSuchOperation", good),
        ("GetApp", {**good, "input_type": shapes.ListJobsRequest}),
        ("GetApp", {**good, "output_type": dict}),
    ):
        with pytest.raises(ModelError):
            processing(
                SERVICE,
                {name: binding(**types)},
                authenticator=everyone_is_ann,
                authoriser=None,
                endpoint=None,
            )


class TestAuthorisation:
    POLICY = (
        '{"Statement": [{"Effect": "Allow", "Action": "amplify:List*", "Resource": "*"},'
        ' {"Effect": "Deny", "Action": "amplify:ListJobs", "Resource": "arn:*/secret/jobs/*"}]}'
    )

    @staticmethod
    def resolve(*, operation, scope, request):
        arn = f"arn:aws:amplify:{scope.region}:{scope.account}:apps/{getattr(request, 'app_id', '')}"
        if hasattr(request, "branch_name"):
            arn += f"/branches/{request.branch_name}/jobs/*"
        return Target(action=f"amplify:{operation}", resources=(arn,), facts=Facts())

    def app(self, policy: str | None):
        key = Key(
            access_key_id="AK", secret="s", account="123456789012", name="bob", policy=policy, enabled=True
        )
        return make_app(
            answering(shapes.ListJobsResult(job_summaries=())),
            authenticator=lambda request: Identity(key=key, region="us-east-1"),
            authoriser=Authoriser(self.resolve),
        )

    def test_allowed(self) -> None:
        assert call(self.app(self.POLICY), "GET", JOBS).status == 200
        assert call(self.app(None), "GET", JOBS).status == 200

    def test_implicitly_denied(self) -> None:
        answer = call(self.app(self.POLICY), "DELETE", f"{JOBS}/1")
        assert (answer.status, answer.error) == (403, "AccessDeniedException")
        assert answer.message == (
            "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: amplify:DeleteJob on "
            "resource: arn:aws:amplify:us-east-1:123456789012:apps/d1/branches/main/jobs/* because no "
            "identity-based policy allows the amplify:DeleteJob action"
        )

    def test_explicitly_denied(self) -> None:
        answer = call(self.app(self.POLICY), "GET", "/apps/d1/branches/secret/jobs")
        assert answer.message.endswith("with an explicit deny in an identity-based policy")

    def test_a_broken_stored_policy_allows_nothing(self, caplog) -> None:
        assert call(self.app("{"), "GET", JOBS).status == 500
        assert "PolicyError" in caplog.text


def test_requests_at_once_do_not_mix() -> None:
    def operation(name):
        return lambda caller, request: shapes.ListTagsForResourceResponse(tags={"is": request.resource_arn})

    app = make_app(operation, inline=False)

    async def many():
        scopes = [http_scope("GET", f"/tags/arn%3Aaws%3Aamplify%3A{i}") for i in range(200)]
        return await asyncio.gather(*(exchange(app, scope, []) for scope in scopes))

    answers = asyncio.run(many())
    app.close()
    assert [a.json["tags"]["is"] for a in answers] == [f"arn:aws:amplify:{i}" for i in range(200)]
    assert len({a.headers["x-amzn-requestid"] for a in answers}) == 200


def test_the_administrator_key_is_ann() -> None:
    assert KEY.policy is None
    assert "s3cr3t" not in repr(KEY)
