"""The control process without its socket: what `preamp control` assembles, on a temporary data folder.

boto3 clients of it are real: they sign, encode and parse; only the bytes go straight to the application.
Every answer is held to the service model, and none may be a 5xx.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from preamp.aws.chain import Exchange
from preamp.aws.service import load_service
from preamp.aws.validate import violations
from preamp.model.keys import Key
from preamp.model.times import now_ms
from preamp.server.control import OVERRIDES, Control, assemble
from preamp.server.prepare import prepare
from preamp.settings import Settings
from preamp.store import keys
from preamp.store.database import Database
from preamp.store.folder import DataFolder
from tests.support.rows import NoEngine

ENDPOINT = "http://127.0.0.1:7732"
EDGE_PORT = 7780
SERVICE = load_service("amplify", overrides=OVERRIDES)
_folder = tempfile.TemporaryDirectory(prefix="preamp-control-")
REPOSITORY = "https://git.example/site.git"


@dataclass
class InProcess:
    """A control process and what a test does with it."""

    control: Control
    engine: NoEngine

    @property
    def database(self) -> Database:
        return self.control.services.database

    def make_key(self, *, policy: str | None = None, name: str = "bob", account: str | None = None) -> Key:
        services = self.control.services
        with self.database.write() as tx:
            return keys.create_key(
                tx.conn,
                services.master,
                account=account or services.settings.account_id,
                name=name,
                policy=policy,
                now=now_ms(),
            )

    def administrator(self) -> Key:
        with self.database.read() as conn:
            found = keys.first_administrator(conn, self.control.services.master)
        assert found is not None
        return found

    def client(self, key: Key | None = None, *, region: str = "us-east-1") -> Any:
        """Plain boto3; its requests go to the application instead of a socket."""
        key = key or self.administrator()
        client = boto3.client(
            "amplify",
            endpoint_url=ENDPOINT,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret,
            region_name=region,
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send.amplify.*", self._send)
        return client

    def fetch(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """One request to the control port, whatever it is for: status, headers, body."""
        parts = urlsplit(url)
        pairs = {"Host": parts.netloc, **(headers or {})}
        return asyncio.run(
            exchange(
                self.control.app,
                {
                    "type": "http",
                    "method": method,
                    "scheme": parts.scheme,
                    "path": parts.path,
                    "raw_path": parts.path.encode(),
                    "query_string": parts.query.encode(),
                    "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in pairs.items()],
                },
                body,
            )
        )

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        content = request.body or b""
        if isinstance(content, str):
            content = content.encode()
        status, answer_headers, body = self.fetch(request.method, request.url, headers=headers, body=content)
        return AWSResponse(request.url, status, answer_headers, _Raw(body))


class _Raw(io.BytesIO):
    """The part of urllib3's answer that botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


async def exchange(app: Any, scope: dict[str, Any], body: bytes) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent)


@contextmanager
def in_process(data: Path, **settings: Any) -> Iterator[InProcess]:
    """A control process on a new data folder; its answers are judged when the test is over."""
    found = Settings(data=data, **settings)
    if not data.exists():
        shutil.copytree(_prepared(), data)
    engine = NoEngine()
    seen: list[Exchange] = []  # judged later: what an observer raises is only logged
    control = assemble(found, edge_port=EDGE_PORT, engine=engine, observers=[seen.append])
    try:
        yield InProcess(control=control, engine=engine)
    finally:
        control.close()
    assert [problem for exchange in seen for problem in problems(exchange)] == []


@cache
def _prepared() -> Path:
    """A new data folder to copy: quicker than running the migrations for every test."""
    folder = Path(_folder.name) / "data"
    prepare(DataFolder(folder), Settings(data=folder))
    return folder


def problems(exchange: Exchange) -> Iterator[str]:
    """What is wrong with an answer, whatever the request was."""
    assert exchange.response is not None
    status, body = exchange.response.status, exchange.response.body
    if status >= 500 and status != 503:
        yield f"{exchange.operation}: {status} {body!r}"
    if status == 200:
        assert exchange.operation is not None
        shape = SERVICE.operations[exchange.operation].output
        for where, what in violations(shape, msgspec.json.decode(body)):
            yield f"{exchange.operation}: {where} {what}"


@contextmanager
def refused(code: str, message: str = "") -> Iterator[None]:
    """The block must end in this error of the service, with this as part of its message."""
    try:
        yield
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, found
        assert message in found["Message"], found["Message"]
    else:
        raise AssertionError(f"{code} was expected, and the call succeeded")


def app_with_branch(client: Any, branch: str = "main", **members: Any) -> str:
    """The id of a new app that has the branch."""
    app_id = client.create_app(name="site", **members)["app"]["appId"]
    client.create_branch(appId=app_id, branchName=branch)
    return str(app_id)
