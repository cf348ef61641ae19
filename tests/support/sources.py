"""Where deployments come from: a web server and an S3 that verifies signatures, both on loopback."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from preamp.aws.credentials import read_claim
from preamp.aws.errors import WireError
from preamp.aws.http import Headers, HttpRequest
from preamp.aws.percent import decode_query
from preamp.aws.signature import canonical_request, signature_of

Handle = Callable[[BaseHTTPRequestHandler], None]


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


def answer(
    handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> None:
    fields = {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
    handler.send_response(status)
    for name, value in fields.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@contextmanager
def serving(handle: Handle) -> Iterator[str]:
    """The URL of a server that lets `handle` answer every GET."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            handle(self)

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class FakeS3:
    """GetObject and ListObjectsV2, path style. Every request must be signed for this service and region.

    `public` buckets may be read without a signature.
    """

    objects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    access_key_id: str = "AKIDEXAMPLE"
    secret: str = "s3cr3t"
    region: str = "eu-west-1"
    public: set[str] = field(default_factory=set)
    page: int = 2
    requests: list[str] = field(default_factory=list)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.path)
        parts = urlsplit(handler.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        problem = self._problem(handler, parts.path, parts.query, bucket)
        if problem:
            self._error(handler, 403, *problem)
        elif bucket not in self.objects:
            self._error(handler, 404, "NoSuchBucket", "The specified bucket does not exist")
        elif key:
            self._get(handler, bucket, key)
        else:
            self._list(handler, bucket, parse_qs(parts.query, keep_blank_values=True))

    def _problem(
        self, handler: BaseHTTPRequestHandler, path: str, query: str, bucket: str
    ) -> tuple[str, str] | None:
        headers = Headers([(name.encode(), value.encode()) for name, value in handler.headers.items()])
        request = HttpRequest(
            method=handler.command,
            scheme="http",
            # S3 signs the path encoded once, other services twice: this is what the second time gives.
            raw_path=unquote(path).encode(),
            raw_query=query.encode(),
            headers=headers,
            query=decode_query(query.encode()),
        )
        try:
            claim = read_claim(request)
        except WireError:
            return None if bucket in self.public else ("AccessDenied", "Access Denied")
        if claim.access_key_id != self.access_key_id:
            return "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
        stated = headers.get("x-amz-content-sha256") or ""
        assert stated == hashlib.sha256(b"").hexdigest()
        expected = signature_of(
            canonical_request(request, signed_headers=claim.signed_headers, payload_hash=stated),
            secret=self.secret,
            scope=claim.scope,
            timestamp=claim.timestamp,
        )
        if (claim.scope.service, claim.scope.region) != ("s3", self.region):
            return "AuthorizationHeaderMalformed", f"the region is wrong; expecting '{self.region}'"
        if expected != claim.signature:
            return "SignatureDoesNotMatch", "The request signature we calculated does not match."
        return None

    def _get(self, handler: BaseHTTPRequestHandler, bucket: str, key: str) -> None:
        body = self.objects[bucket].get(key)
        if body is None:
            self._error(handler, 404, "NoSuchKey", "The specified key does not exist.")
        else:
            answer(handler, 200, body, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    def _list(self, handler: BaseHTTPRequestHandler, bucket: str, query: dict[str, list[str]]) -> None:
        assert query["list-type"] == ["2"]
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        keys = sorted(key for key in self.objects[bucket] if key.startswith(prefix) and key > after)
        page, rest = keys[: self.page], keys[self.page :]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[bucket][key])}</Size></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if rest else ""
        truncated = "true" if rest else "false"
        text = (
            f'<?xml version="1.0"?><ListBucketResult><Name>{bucket}</Name>'
            f"<IsTruncated>{truncated}</IsTruncated>{token}{entries}</ListBucketResult>"
        )
        answer(handler, 200, text.encode(), {"Content-Type": "application/xml"})

    def _error(self, handler: BaseHTTPRequestHandler, status: int, code: str, message: str) -> None:
        text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>'
        answer(handler, status, text.encode(), {"Content-Type": "application/xml"})
