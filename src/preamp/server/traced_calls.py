"""A span for each call of the API."""

from __future__ import annotations

import time

from preamp.aws.chain import Exchange, Observer
from preamp.model.work import current_work
from preamp.tracing import Tracing


def observe_calls(tracing: Tracing) -> Observer:
    """Attributes are those of the call's log lines, the status and the error's code."""

    def observe(exchange: Exchange) -> None:
        assert exchange.response is not None
        status, ended_ns = exchange.response.status, time.time_ns()
        error = {"error.type": exchange.error.code} if exchange.error else {}
        headers = exchange.request.headers
        tracing.add(
            exchange.operation or "unknown operation",
            begun_ns=ended_ns - exchange.elapsed_ns,
            ended_ns=ended_ns,
            attributes={**current_work(), "http.response.status_code": status, **error},
            # What a client did wrong is no failure of ours (as OpenTelemetry has it).
            failure=f"status {status}" if status >= 500 else None,
            parent=tracing.caller_of(
                {name: value for name in ("traceparent", "tracestate") if (value := headers.get(name))}
            ),
            serving=True,
        )

    return observe
