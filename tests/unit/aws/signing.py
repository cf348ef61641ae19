"""Signs requests with botocore's own signer and hands them over as the server would see them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from preamp.aws.http import Headers, HttpRequest
from preamp.aws.percent import decode_query

SIGNED_AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
NOW = SIGNED_AT.timestamp()


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A signed request, easy to tamper with."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_header(self, name: str, value: str | None) -> Signed:
        headers = {key: old for key, old in self.headers.items() if key.lower() != name.lower()}
        return replace(self, headers=headers if value is None else {**headers, name: value})

    def request(self, *, extra: tuple[tuple[bytes, bytes], ...] = ()) -> HttpRequest:
        pairs = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        return HttpRequest(
            method=self.method,
            scheme="http",
            raw_path=self.path.encode(),
            raw_query=self.query.encode(),
            headers=Headers([*pairs, *extra]),
            body=self.body,
            query=decode_query(self.query.encode()),
        )


def sign(
    monkeypatch: Any,
    method: str = "GET",
    url: str = "http://127.0.0.1:7732/apps/d1/branches/feature%2Ffoo%20bar/jobs?nextToken=a%2Bb%2F&maxResults=2",
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    access_key_id: str = "AKIDEXAMPLE",
    secret: str = "s3cr3t",
    token: str | None = None,
    region: str = "eu-west-1",
    service: str = "amplify",
    at: dt.datetime = SIGNED_AT,
    presign_s: int | None = None,
) -> Signed:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: at.replace(tzinfo=None))
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers or {}))
    credentials = Credentials(access_key_id, secret, token)
    if presign_s is None:
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    else:
        botocore.auth.SigV4QueryAuth(credentials, service, region, expires=presign_s).add_auth(request)
    parts = urlsplit(request.url)
    sent = {name: value for name, value in request.headers.items() if name.lower() != "host"}
    return Signed(
        method=method, path=parts.path, query=parts.query, headers={"Host": parts.netloc, **sent}, body=body
    )
