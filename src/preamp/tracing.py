"""Spans for OpenTelemetry, for those who ask for them by its own variables and installed `preamp[otel]`.

What is told is what has ended: a call of the API with its answer, an attempt of a job with its steps.
Nothing of OpenTelemetry is imported unless it is asked for.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
CLOSE_SECONDS = 3.0
Attributes = Mapping[str, str | int]


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for spans: an endpoint is named and nothing switches them off."""
    return (
        any(environment.get(name) for name in _ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
    )


def open_tracing(role: str) -> Tracing | None:
    """None when nobody asks, or, with a warning, when the packages are missing."""
    if not wanted(os.environ):
        return None
    if not all(map(_is_installed, _PACKAGES)):
        log.warning(
            "spans are asked for by %s, but OpenTelemetry is not installed: pip install 'preamp[otel]'",
            " or ".join(_ENDPOINTS),
        )
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = Resource({SERVICE_NAME: f"preamp-{role}"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Tracing:
    """Takes spans and sends them in the background; safe to use from several threads."""

    _provider: TracerProvider

    def add(
        self,
        name: str,
        *,
        begun_ns: int,
        ended_ns: int,
        attributes: Attributes,
        failure: str | None = None,
        parent: Context | None = None,
        serving: bool = False,
    ) -> Context:
        """A span that is over, by the wall clock; what is returned makes another one its child.

        `failure`: why it did not work out. `serving`: it answers somebody.
        """
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        span = self._provider.get_tracer("preamp").start_span(
            name,
            context=parent,
            kind=SpanKind.SERVER if serving else SpanKind.INTERNAL,
            attributes={key: value for key, value in attributes.items() if value != ""},
            start_time=begun_ns,
        )
        if failure is not None:
            span.set_status(Status(StatusCode.ERROR, failure))
        span.end(ended_ns)
        return set_span_in_context(span)

    def caller_of(self, headers: Mapping[str, str]) -> Context:
        """The trace that a request belongs to by its `traceparent`, if any."""
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        return TraceContextTextMapPropagator().extract(headers)

    def close(self) -> None:
        """Send what is left, if that can be done in time: nobody waits for a collector that is away."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)
