"""A scripted control port: what the commands ask is recorded, what they are told is set by the test."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class FakeControl:
    """State behind the port. `jobs` holds, per job id, the answers of successive GetJob calls."""

    url: str = ""
    apps: dict[str, dict[str, Any]] = field(default_factory=dict)
    branches: set[tuple[str, str]] = field(default_factory=set)
    jobs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    """Whether `Range` is honoured on logs."""
    uploads: list[bytes] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """`METHOD /path` of every request."""
    started: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of StartJob."""
    refuse: tuple[int, str, str] | None = None
    """Status, code and message that every API call is answered with."""

    def add_app(self, name: str, repository: str | None = None) -> str:
        app_id = f"dfake{len(self.apps)}"
        self.apps[app_id] = {
            "appId": app_id,
            "name": name,
            "defaultDomain": f"{app_id}.localhost:7780",
            **({"repository": repository} if repository else {}),
        }
        return app_id

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match method, parts:
            case "GET", ["apps"]:
                return 200, {"apps": list(self.apps.values())}
            case "POST", ["apps"]:
                app = self.apps[self.add_app(body["name"], body.get("repository"))]
                app |= {"platform": body["platform"]} if "platform" in body else {}
                return 200, {"app": app}
            case "GET", ["apps", app] if app in self.apps:
                return 200, {"app": self.apps[app]}
            case "POST", ["apps", app, "branches"]:
                self.branches.add((app, body["branchName"]))
                return 200, {"branch": {"branchName": body["branchName"]}}
            case "GET", ["apps", app, "branches", name] if (app, name) in self.branches:
                return 200, {"branch": {"branchName": name, "displayName": name}}
            case "POST", ["apps", _, "branches", _, "jobs"]:
                self.started.append(body)
                return 200, {"jobSummary": self.jobs["1"][0]["summary"]}
            case "GET", ["apps", _, "branches", _, "jobs"]:
                newest = sorted(self.jobs, key=int, reverse=True)
                return 200, {"jobSummaries": [self.jobs[job][-1]["summary"] for job in newest]}
            case "GET", ["apps", _, "branches", _, "jobs", job] if job in self.jobs:
                answers = self.jobs[job]
                return 200, {"job": answers.pop(0) if len(answers) > 1 else answers[0]}
            case "POST", ["apps", _, "branches", _, "deployments"]:
                upload = f"{self.url}/_preamp/upload"
                return 200, {"jobId": "1", "zipUploadUrl": upload, "fileUploadUrls": {}}
            case "POST", ["apps", _, "branches", _, "deployments", "start"]:
                return 200, {"jobSummary": self.jobs["1"][0]["summary"]}
        return 404, {"message": f"nothing at {method} {path}"}


def job(status: str, *steps: dict[str, Any], job_id: str = "1", **summary: Any) -> dict[str, Any]:
    """A job as GetJob answers it."""
    facts = {
        "jobId": job_id,
        "jobArn": "arn:aws:amplify:us-east-1:000000000000:apps/d1/branches/main/jobs/0000000001",
        "jobType": "RELEASE",
        "status": status,
        "commitId": "0123456789abcdef",
        "commitMessage": "Say hello\n\nat length",
        "startTime": 1_760_000_000.0,
        **({"endTime": 1_760_000_012.5} if status in {"SUCCEED", "FAILED", "CANCELLED"} else {}),
        **summary,
    }
    return {"summary": facts, "steps": list(steps)}


def step(name: str, status: str, **more: Any) -> dict[str, Any]:
    """A step as GetJob answers it; the end time is the one of a finished step."""
    times = {"startTime": 1_760_000_000.0}
    if status not in {"PENDING", "RUNNING"}:
        times["endTime"] = 1_760_000_002.5
    return {"stepName": name, "status": status, **times, **more}


@contextmanager
def fake_control() -> Iterator[FakeControl]:
    state = FakeControl()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(state: FakeControl) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Tests have no use for an access log."""

        def serve(self) -> None:
            path = urlsplit(self.path).path
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.calls.append(f"{self.command} {path}")
            if path.startswith("/_preamp/logs/"):
                self.send_log(state.logs.get(path.rsplit("/", 1)[1]))
            elif path == "/_preamp/upload":
                state.uploads.append(data)
                self.reply(200, b"")
            elif state.refuse is not None:
                status, code, message = state.refuse
                body = json.dumps({"message": message}).encode()
                self.reply(status, body, {"x-amzn-ErrorType": code})
            else:
                status, answer = state.answer(self.command, path, json.loads(data) if data else {})
                extra = {} if status == 200 else {"x-amzn-ErrorType": "NotFoundException"}
                self.reply(status, json.dumps(answer).encode(), extra)

        do_GET = do_POST = do_PUT = serve  # noqa: N815 (the names that http.server looks for)

        def send_log(self, log: bytes | None) -> None:
            if log is None:
                self.reply(404, b"")
                return
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if not wanted or not state.ranges:
                self.reply(200, log)
                return
            first = int(wanted[1])
            if first >= len(log):
                self.reply(416, b"", {"Content-Range": f"bytes */{len(log)}"})
            else:
                of = f"bytes {first}-{len(log) - 1}/{len(log)}"
                self.reply(206, log[first:], {"Content-Range": of})

        def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
