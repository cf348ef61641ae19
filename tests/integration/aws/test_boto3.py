"""Unmodified boto3 clients over real HTTP: signing, encoding, errors, times, retries, presigned calls."""

from __future__ import annotations

import datetime as dt
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError

from preamp.api import shapes
from preamp.aws.asgi import AwsApp, Limits
from preamp.aws.authenticate import SignatureAuthenticator
from preamp.aws.authorise import Authoriser
from preamp.aws.policies import Target
from preamp.aws.policy_conditions import Facts
from preamp.model.errors import LimitExceeded, NotFound, ResourceNotFound
from preamp.model.keys import Key
from tests.unit.aws.samples import output_value, wire_value
from tests.unit.aws.test_conformance import MODEL, SHAPES
from tests.unit.aws.wire import SERVICE, bindings

SUMMARY = shapes.JobSummary(
    job_arn="arn:aws:amplify:eu-west-1:123456789012:apps/d1/branches/feature/foo/jobs/0000000016",
    job_id="16",
    commit_id="HEAD",
    commit_message="Fix é",
    commit_time=1600408195.766,
    start_time=1600408195.766,
    status="SUCCEED",
    end_time=1600408196.0,
    job_type="RELEASE",
)
READER = '{"Statement": {"Effect": "Allow", "Action": "amplify:List*", "Resource": "*"}}'
KEYS = {
    key.access_key_id: key
    for key in (
        Key(
            access_key_id="AKADMIN",
            secret="s1",
            account="123456789012",
            name="ann",
            policy=None,
            enabled=True,
        ),
        Key(
            access_key_id="AKREADER",
            secret="s2",
            account="123456789012",
            name="bob",
            policy=READER,
            enabled=True,
        ),
        Key(
            access_key_id="AKOFF", secret="s3", account="123456789012", name="eve", policy=None, enabled=False
        ),
    )
}


@dataclass
class Recorder:
    """What the operations were called with, and what they are to do next."""

    calls: list[tuple[str, Any, Any]] = field(default_factory=list)
    requests: int = 0
    error: Exception | None = None

    def operation(self, name: str):
        output = output_value(SERVICE.operations[name].output, shapes.OPERATION_TYPES[name][1])
        if name == "ListJobs":
            output = shapes.ListJobsResult(job_summaries=(SUMMARY,))

        def run(caller, request):
            self.calls.append((name, caller, request))
            if self.error is not None:
                raise self.error
            return output

        return run

    def count(self, exchange) -> None:
        self.requests += 1


def resolve(*, operation, scope, request) -> Target:
    arn = f"arn:aws:amplify:{scope.region}:{scope.account}:apps/{request.app_id}"
    return Target(action=f"amplify:{operation}", resources=(arn,), facts=Facts())


class Server(uvicorn.Server):
    """uvicorn on a free port in a thread."""

    def __init__(self, app: AwsApp) -> None:
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", http="httptools"))
        self.listening = threading.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @property
    def url(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[str, Recorder]]:
    recorder = Recorder()
    operations = bindings(recorder.operation, inline=False)
    del operations["DeleteWebhook"]
    app = AwsApp(
        service=SERVICE,
        operations=operations,
        authenticator=SignatureAuthenticator(KEYS.get, service=SERVICE.signing_name),
        authoriser=Authoriser(resolve),
        limits=Limits(threads=4),
        observers=[recorder.count],
    )
    server = Server(app)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.listening.wait(30)
    yield server.url, recorder
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def recorder(world) -> Recorder:
    world[1].calls.clear()
    world[1].requests = 0
    world[1].error = None
    return world[1]


@pytest.fixture
def client(world):
    made = []

    def make(
        access_key_id: str = "AKADMIN", secret: str | None = None, region: str = "eu-west-1", **config: Any
    ):
        session = boto3.session.Session(
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret or KEYS[access_key_id].secret,
            region_name=region,
        )
        settings = Config(retries={"max_attempts": 1, "mode": "standard"}, **config)
        amplify = session.client("amplify", endpoint_url=world[0], config=settings)
        made.append(amplify)
        return amplify

    yield make
    for amplify in made:
        amplify.close()


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_jobs_of_a_branch_with_a_slash(client, recorder) -> None:
    answer = client().list_jobs(
        appId="d1", branchName="feature/foo bar%2F~é", maxResults=2, nextToken="a+b/="
    )
    (job,) = answer["jobSummaries"]
    assert job["startTime"] == dt.datetime(2020, 9, 18, 5, 49, 55, 766000, tzinfo=dt.UTC)
    assert job["jobArn"] == SUMMARY.job_arn
    assert answer["ResponseMetadata"]["RequestId"] == recorder.calls[0][1].request_id
    name, caller, request = recorder.calls[0]
    assert name == "ListJobs"
    assert (caller.scope.account, caller.scope.region) == ("123456789012", "eu-west-1")
    assert request == shapes.ListJobsRequest(
        app_id="d1", branch_name="feature/foo bar%2F~é", max_results=2, next_token="a+b/="
    )


def test_tags_of_an_arn(client, recorder) -> None:
    arn = "arn:aws:amplify:eu-west-1:123456789012:apps/d1/branches/feature/foo"
    client().untag_resource(resourceArn=arn, tagKeys=["b c".replace(" ", "_"), "a:b/c=d", "x+y"])
    client().tag_resource(resourceArn=arn, tags={"k": "välue 1"})
    assert recorder.calls[0][2] == shapes.UntagResourceRequest(
        resource_arn=arn, tag_keys=("b_c", "a:b/c=d", "x+y")
    )
    assert recorder.calls[1][2].tags == {"k": "välue 1"}


def test_times_in_requests(client, recorder) -> None:
    when = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    client().start_job(appId="d1", branchName="main", jobType="RELEASE", commitTime=when)
    assert recorder.calls[0][2].commit_time == 1704164645


@pytest.mark.parametrize("operation", sorted(set(MODEL["operations"]) - {"DeleteWebhook"}))
def test_every_operation_comes_through(operation: str, client, recorder) -> None:
    from botocore import xform_name

    arguments = wire_value(SHAPES, MODEL["operations"][operation]["input"]["shape"])
    answer = getattr(client(), xform_name(operation))(**arguments)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert recorder.calls[0][0] == operation
    assert recorder.requests == 1


def test_modelled_errors(client, recorder) -> None:
    amplify = client()
    recorder.error = NotFound("App d1 not found.")
    with pytest.raises(amplify.exceptions.NotFoundException, match="App d1 not found"):
        amplify.get_app(appId="d1")
    with pytest.raises(amplify.exceptions.NotFoundException):
        amplify.list_jobs(appId="d1", branchName="main")
    recorder.error = ResourceNotFound("No such resource")
    with pytest.raises(amplify.exceptions.ResourceNotFoundException) as caught:
        amplify.list_tags_for_resource(resourceArn="arn:aws:amplify:x")
    assert caught.value.response["code"] == "ResourceNotFoundException"
    recorder.error = None
    with pytest.raises(amplify.exceptions.BadRequestException, match="'maxResults'"):
        amplify.list_apps(maxResults=500)
    with pytest.raises(amplify.exceptions.BadRequestException, match="'appId'"):
        amplify.get_app(appId="nope!!!")


def test_limits_are_retried_by_clients_and_missing_operations_are_not(world, recorder) -> None:
    session = boto3.session.Session(
        aws_access_key_id="AKADMIN", aws_secret_access_key="s1", region_name="eu-west-1"
    )
    for mode in ("legacy", "standard"):
        amplify = session.client(
            "amplify",
            endpoint_url=world[0],
            config=Config(retries={"max_attempts": 1, "mode": mode}),
        )
        recorder.requests = 0
        with pytest.raises(ClientError) as error:
            amplify.delete_webhook(webhookId="w")
        assert code(error) == ("NotImplementedException", 501)
        assert "DeleteWebhook" in str(error.value)
        assert recorder.requests == 1
        recorder.error, recorder.requests = LimitExceeded("one job at a time"), 0
        with pytest.raises(amplify.exceptions.LimitExceededException):
            amplify.start_job(appId="d1", branchName="main", jobType="RELEASE")
        assert recorder.requests == 2
        recorder.error = None
        amplify.close()


def test_wrong_credentials(client, recorder) -> None:
    for key, secret, expected in (
        ("AKADMIN", "guess", "InvalidSignatureException"),
        ("AKNOBODY", "x", "UnrecognizedClientException"),
        ("AKOFF", "s3", "UnrecognizedClientException"),
    ):
        with pytest.raises(ClientError) as error:
            client(key, secret).list_apps()
        assert code(error) == (expected, 403)
    assert recorder.calls == []


def test_policies(client, recorder) -> None:
    reader = client("AKREADER")
    assert reader.list_jobs(appId="d1", branchName="main")["jobSummaries"]
    with pytest.raises(ClientError) as error:
        reader.delete_job(appId="d1", branchName="main", jobId="1")
    assert code(error) == ("AccessDeniedException", 403)
    assert "user/bob is not authorized to perform: amplify:DeleteJob on resource: arn:aws" in str(error.value)
    assert [name for name, *_ in recorder.calls] == ["ListJobs"]


def test_presigned_calls(world, client, recorder) -> None:
    url = client().generate_presigned_url(
        "list_jobs", Params={"appId": "d1", "branchName": "a/b"}, ExpiresIn=60
    )
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    for query, status in ((parts.query, 200), (parts.query.replace("Expires=60", "Expires=600"), 403)):
        connection.request("GET", f"{parts.path}?{query}")
        response = connection.getresponse()
        assert response.status == status
        response.read()
    connection.close()
    assert recorder.calls[0][2].branch_name == "a/b"


def test_plain_http_that_is_not_the_api(world) -> None:
    connection = http.client.HTTPConnection(urlsplit(world[0]).netloc)
    for method, path, status in (
        ("GET", "/", 404),
        ("HEAD", "/apps", 404),
        ("OPTIONS", "/apps", 404),
        ("GET", "/apps", 403),
        ("GET", "/apps/%zz", 400),
        ("PATCH", "/apps", 404),
    ):
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == status, (method, path, body)
        assert response.headers["x-amzn-RequestId"]
        assert response.headers["x-amzn-ErrorType"]
        assert (body == b"") == (method == "HEAD")
    connection.close()


def test_a_large_body_is_refused_before_it_is_read(world) -> None:
    connection = http.client.HTTPConnection(urlsplit(world[0]).netloc)
    connection.putrequest("POST", "/apps")
    connection.putheader("Content-Length", str(7 * 1024 * 1024))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert b"larger than" in response.read()
    connection.close()
