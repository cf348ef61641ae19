"""`GET /_preamp/queue`: what runs and what waits in the caller's account and region, and for what.

With `app` only that app's jobs, whose positions are still those among all. Needs the permission for ListApps,
or with `app` that for ListJobs of any of its branches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from preamp.engine.waiting import Queued, queued
from preamp.model.times import iso, now_ms
from preamp.server.own import Call, Endpoint
from preamp.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueView:
    database: Database
    concurrent_jobs: int

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/_preamp/queue": Endpoint(method="GET", answer=self.answer)}

    def answer(self, call: Call) -> dict[str, Any]:
        app_id = call.query.get("app")
        if app_id is None:
            call.check("ListApps")
        else:
            call.check("ListJobs", app_id=app_id, branch_name="*")
        with self.database.read() as conn:
            found = queued(conn, call.identity.scope, concurrent_jobs=self.concurrent_jobs)
        now = now_ms()
        return {"jobs": [_shown(item, now) for item in found if app_id in {None, item.job.app_id}]}


def _shown(item: Queued, now: int) -> dict[str, Any]:
    job = item.job
    return {
        "position": item.position,
        "appId": job.app_id,
        "appName": job.app_name,
        "branch": job.branch,
        "jobId": str(job.number),
        "status": "CANCELLING" if job.stopping else job.state.value,
        "waitsFor": item.waits_for,
        "since": iso(job.since_ms),
        # A clock that was set back is no reason for a negative time.
        "seconds": max(0, now - job.since_ms) // 1000,
    }
