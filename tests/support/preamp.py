"""The whole program as a user has it: `preamp serve` as a process, plain boto3, plain HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

WAIT_SECONDS = 120.0
TERMINAL = {"SUCCEED", "FAILED", "CANCELLED"}


@dataclass
class Preamp:
    """A data folder and, while it runs, the server on it."""

    data: Path
    flags: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    control: str = "127.0.0.1:0"
    edge: str = "127.0.0.1:0"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until everything listens; the ports stay the same over restarts."""
        (self.data / "run" / "server.json").unlink(missing_ok=True)
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "preamp", "serve", "--data", str(self.data)),
                    *("--control", self.control, "--edge", self.edge, *self.flags),
                ],
                stdout=log,
                stderr=log,
                # A browser after each job would slow the tests that do not look at its pictures.
                env={**os.environ, "PREAMP_SCREENSHOTS": "false", **self.environment},
            )
        self.wait_until_ready()
        self.control = urlsplit(self.control_url).netloc
        self.edge = urlsplit(self.edge_url).netloc

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"serve exited: {self.log()[-3000:]}"
            return (self.data / "run" / "server.json").exists()

        until(ready, "preamp serve to be ready")

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(WAIT_SECONDS)

    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")

    def address(self) -> dict[str, Any]:
        return dict(json.loads((self.data / "run" / "server.json").read_text()))

    @property
    def control_url(self) -> str:
        return str(self.address()["control_url"])

    @property
    def edge_url(self) -> str:
        return str(self.address()["edge_url"])

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """A `preamp` command on this data folder."""
        return subprocess.run(
            [sys.executable, "-m", "preamp", *arguments],
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            env={**os.environ, "PREAMP_DATA": str(self.data), **self.environment},
            **options,
        )

    def variables(self) -> dict[str, str]:
        """What `preamp env` prints."""
        done = self.run("env", "--format", "json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def client(self, **options: Any) -> Any:
        """Plain boto3, told only what `preamp env` says."""
        found = self.variables()
        return boto3.client(
            "amplify",
            endpoint_url=found["AWS_ENDPOINT_URL_AMPLIFY"],
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
            region_name=found["AWS_DEFAULT_REGION"],
            config=Config(**{"retries": {"total_max_attempts": 1}, **options}),
        )

    def fetch(self, app_id: str, label: str, path: str = "/") -> tuple[int, bytes]:
        """A page of a site, by the Host header that a browser sends."""
        return fetch(self.edge, f"{label}.{app_id}.{self.address()['site_domain']}", path)


def fetch(netloc: str, host: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(netloc, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def running(data: Path, *flags: str, **environment: str) -> Iterator[Preamp]:
    it = Preamp(data=data, flags=flags, environment=environment)
    try:
        it.start()
        yield it
    finally:
        if it.process is not None and it.process.poll() is None:
            it.stop()


def until(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def wait_for_job(
    client: Any, app_id: str, branch: str, job_id: str, seconds: float = WAIT_SECONDS
) -> dict[str, Any]:
    """The job once it is over."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found.update(client.get_job(appId=app_id, branchName=branch, jobId=job_id)["job"])
        return found["summary"]["status"] in TERMINAL

    until(over, f"job {job_id} of {branch}", seconds)
    return found
