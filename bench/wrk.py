"""Signed requests, and wrk to repeat them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SECONDS = 4
CONNECTIONS = 32


@dataclass(frozen=True, kw_only=True)
class Request:
    """One that the server accepts for some minutes, however often it comes."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk reports."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


def signed(request: Request, credentials: Credentials, *, service: str, region: str) -> Request:
    headers = {**request.headers, "Host": urlsplit(request.url).netloc}
    aws = AWSRequest(request.method, request.url, headers=headers, data=request.body)
    SigV4Auth(credentials, service, region).add_auth(aws)
    return Request(
        url=request.url, method=request.method, headers=dict(aws.headers.items()), body=request.body
    )


def load(wrk: str, request: Request) -> Load:
    """The same request over 32 connections; anything but 2xx is an error."""
    lines = [f'wrk.method = "{request.method}"']
    lines += [f'wrk.headers["{name}"] = [[{value}]]' for name, value in request.headers.items()]
    if request.body:
        lines.append(f"wrk.body = [[{request.body}]]")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines))
        script.flush()
        command = [wrk, "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--latency"]
        command += ["--timeout", "10s", "-s", script.name, request.url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert rate, text
    return Load(requests_per_s=float(rate[1]), p50_ms=_latency(text, "50%"), p99_ms=_latency(text, "99%"))


def _latency(text: str, which: str) -> float:
    """In milliseconds."""
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s)\b", text)
    assert found, text
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
