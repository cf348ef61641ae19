"""`GET /_preamp/metrics`: numbers in the text form of Prometheus.

Of jobs from the database, of processes from the files that they write (`store.counters`). Without the setting
`metrics_token` only clients on this machine get them, with it everybody who sends it as a bearer token.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from preamp.files.http import Scope, Send, answer, answer_text, header
from preamp.model.jobs import JobState
from preamp.model.times import now_ms
from preamp.store.counters import Sample, read_all
from preamp.store.database import Database
from preamp.store.tables import jobs, workers

PATH = "/_preamp/metrics"
HELP = {
    "preamp_jobs_open": ("gauge", "Unfinished jobs by state."),
    "preamp_queue_oldest_seconds": ("gauge", "How long the oldest waiting job waits."),
    "preamp_workers": ("gauge", "Workers that have entered and not left."),
    "preamp_worker_slots": ("gauge", "Slots of a worker."),
    "preamp_worker_slots_in_use": ("gauge", "Slots of a worker that jobs take."),
    "preamp_attempts_total": ("counter", "Jobs that a worker began, repeated ones each time."),
    "preamp_step_seconds_sum": ("counter", "Time spent in steps of jobs."),
    "preamp_step_seconds_count": ("counter", "Steps of jobs that have ended."),
    "preamp_edge_requests_total": ("counter", "Answers to visitors by status and by where they came from."),
    "preamp_edge_sent_bytes_total": ("counter", "Bytes of those answers with their heads."),
    "preamp_compute_servers": ("gauge", "Servers of releases that run."),
    "preamp_compute_memory_bytes": ("gauge", "What they hold together; shared memory is divided among them."),
    "preamp_compute_starts_total": ("counter", "Servers that were started and listened."),
    "preamp_compute_failed_starts_total": ("counter", "Servers that did not come to listen."),
    "preamp_compute_crashes_total": ("counter", "Servers that ended by themselves."),
    "preamp_compute_cold_start_seconds_sum": ("counter", "Time from the wish for a server to its listening."),
    "preamp_compute_cold_start_seconds_count": ("counter", "Starts in that time."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsApp:
    database: Database
    run_folder: Path
    token: str | None

    async def __call__(self, scope: Scope, send: Send) -> None:
        if not self._may(scope):
            await answer_text(send, 403, "Only from this machine, or with the setting metrics_token")
            return
        text = await asyncio.to_thread(self._text)
        await answer(send, 200, text.encode(), {"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    def _may(self, scope: Scope) -> bool:
        if self.token is not None:
            sent = header(scope, b"authorization") or b""
            return hmac.compare_digest(sent, f"Bearer {self.token}".encode())
        peer = (scope.get("client") or ("", 0))[0]
        return peer in {"127.0.0.1", "::1"}

    def _text(self) -> str:
        return render([*self._of_jobs(), *read_all(self.run_folder)])

    def _of_jobs(self) -> Iterable[Sample]:
        with self.database.read() as conn:
            rows = conn.execute(
                select(jobs.c.state, func.count(), func.min(jobs.c.started_ms))
                .where(jobs.c.ended_ms.is_(None))
                .group_by(jobs.c.state)
            ).all()
            known = conn.scalar(select(func.count()).select_from(workers)) or 0
        found = {row[0]: (row[1], row[2]) for row in rows}
        for state in (JobState.CREATED, JobState.PENDING, JobState.RUNNING):
            yield Sample("preamp_jobs_open", (("state", state.value),), found.get(state, (0, None))[0])
        oldest = found.get(JobState.PENDING, (0, None))[1]
        waited = max(0, now_ms() - oldest) / 1000 if oldest is not None else 0
        yield Sample("preamp_queue_oldest_seconds", (), waited)
        yield Sample("preamp_workers", (), known)


def render(samples: Iterable[Sample]) -> str:
    """Samples of one name stand together, as the form wants it."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    lines = []
    for name, found in by_name.items():
        kind, text = HELP.get(name, ("untyped", name))
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        for sample in found:
            labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels)
            lines.append(f"{name}{{{labels}}} {sample.value:g}" if labels else f"{name} {sample.value:g}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
