"""Spans as a collector gets them, over its protocol, from whole processes."""

from __future__ import annotations

import gzip
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from preamp import tracing
from tests.support.preamp import running, until, wait_for_job
from tests.support.repositories import STATIC_SPEC, new_repository

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """Keeps what it gets: (service, span)."""

    def __init__(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.spans: list[tuple[str, Any]] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    data = gzip.decompress(data)
                for group in ExportTraceServiceRequest.FromString(data).resource_spans:
                    names = {item.key: item.value.string_value for item in group.resource.attributes}
                    spans.extend(
                        (names["service.name"], span) for it in group.scope_spans for span in it.spans
                    )
                self.send_response(200)
                self.end_headers()

            def log_request(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def named(self, name: str) -> list[Any]:
        return [span for _, span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    it = Collector()
    thread = threading.Thread(target=it.server.serve_forever)
    thread.start()
    yield it
    it.server.shutdown()
    thread.join()
    it.server.server_close()


def facts(span: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def add_parent(request: Any, **_: object) -> None:
    """What an instrumented client sends."""
    request.headers["traceparent"] = PARENT


@pytest.mark.needs("git", "bwrap")
def test_calls_and_jobs_with_their_steps(collector: Collector, tmp_path: Path) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
    }
    with running(tmp_path / "data", **variables) as preamp:
        client = preamp.client()
        client.meta.events.register("before-send.amplify", add_parent)
        repository = new_repository(tmp_path / "git", {"amplify.yml": STATIC_SPEC, "index.html": "hello"})
        app_id = client.create_app(name="site", repository=repository.url)["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        started = client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        wait_for_job(client, app_id, "main", "1")
        with pytest.raises(client.exceptions.NotFoundException):
            client.get_branch(appId=app_id, branchName="none")
        until(lambda: collector.named("job") and collector.named("GetBranch"), "the spans")
    assert {service for service, _ in collector.spans} == {"preamp-control", "preamp-worker"}
    (call,) = collector.named("StartJob")
    assert facts(call)["request_id"] == started["ResponseMetadata"]["RequestId"]
    assert (facts(call)["app_id"], facts(call)["http.response.status_code"]) == (app_id, 200)
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    assert call.end_time_unix_nano > call.start_time_unix_nano
    (refused,) = collector.named("GetBranch")
    assert facts(refused)["error.type"] == "NotFoundException"
    assert refused.status.code == 0
    (job,) = collector.named("job")
    assert (facts(job)["job_id"], facts(job)["attempt"], facts(job)["status"]) == ("1", 1, "SUCCEED")
    for name in ("BUILD", "DEPLOY", "VERIFY"):
        (step,) = collector.named(name)
        assert (step.trace_id, step.parent_span_id) == (job.trace_id, job.span_id)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_who_asks_for_spans(environment: dict[str, str], wanted: bool) -> None:
    assert tracing.wanted(environment) is wanted


def test_without_the_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "_PACKAGES", ("opentelemetry.of.nobody", "nothing.at.all"))
    assert tracing.open_tracing("control") is None
    assert caplog.text == ""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with caplog.at_level(logging.WARNING):
        assert tracing.open_tracing("control") is None
    assert "pip install 'preamp[otel]'" in caplog.text


def test_nothing_is_imported_unless_it_is_asked_for() -> None:
    code = (
        "import preamp.server.control, preamp.worker.main, sys\n"
        "print([name for name in sys.modules if 'opentel' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
