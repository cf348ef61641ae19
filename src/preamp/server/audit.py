"""Writes the audit log of a control process: every call that was to change something.

In batches and by a thread of its own, so that no call waits for it; a process that is killed can lose what
came in its last moments.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

from preamp.api.webhooks import OWN_PATH
from preamp.aws.chain import Exchange
from preamp.hooks.app import Call
from preamp.model.audit import DONE, MAX_TARGET, Entry
from preamp.model.errors import DependentServiceFailure
from preamp.model.times import now_ms
from preamp.server.own import Outcome
from preamp.store import audit
from preamp.store.database import NOTHING, Database

log = logging.getLogger(__name__)
BATCH_SECONDS = 0.1
MOST_WAITING = 100_000
"""With the database away for very long, later entries go to the process's log only."""
_NAMES = ("branch_name", "job_id", "domain_name", "webhook_id", "environment_name", "resource_arn", "name")
_UNKNOWN = "unknown"


class AuditLog:
    """`start` before the first call, `close` after the last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: queue.Queue[Entry] = queue.Queue(MOST_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="audit", daemon=True)
        self._thread.start()

    def observe(self, exchange: Exchange) -> None:
        """An observer of the wire layer."""
        match, response = exchange.match, exchange.response
        if match is None or response is None or match.operation.method == "GET":
            return
        error = exchange.error
        key = exchange.identity.key if exchange.identity else None
        self._add(
            Entry(
                at_ms=now_ms(),
                account=key.account if key else None,
                actor=key.access_key_id if key else _UNKNOWN,
                operation=match.operation.name,
                app_id=getattr(exchange.input, "app_id", None) or _made(exchange.output),
                target=_target(exchange.input),
                result=DONE if response.status < 300 else error.code if error else f"HTTP {response.status}",
                request_id=exchange.request_id,
            )
        )

    def record(self, outcome: Outcome) -> None:
        """A call of Preamp's own endpoints."""
        key = outcome.identity.key if outcome.identity else None
        pairs = [f"{name}={value}" for name, value in outcome.query.items() if name != "app"]
        self._add(
            Entry(
                at_ms=now_ms(),
                account=key.account if key else None,
                actor=key.access_key_id if key else _UNKNOWN,
                operation=outcome.path,
                app_id=outcome.query.get("app"),
                target=" ".join(pairs)[:MAX_TARGET],
                result=outcome.error or DONE,
                request_id="",
            )
        )

    def called(self, call: Call) -> None:
        """A call of a webhook's URL."""
        about = f"webhookId={call.webhook_id}"
        if call.proven:
            about += f" branchName={call.proven[1].branch_name}"
        if call.job:
            about += f" jobId={call.job.number}"
        self._add(
            Entry(
                at_ms=now_ms(),
                account=call.proven[0].account if call.proven else None,
                actor=f"webhook:{call.webhook_id}" if call.proven else _UNKNOWN,
                operation=OWN_PATH,
                app_id=call.proven[1].app_id if call.proven else None,
                target=about[:MAX_TARGET],
                result=call.result,
                request_id="",
            )
        )

    def _add(self, entry: Entry) -> None:
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            log.error("the audit log cannot be written; lost: %s", entry)

    def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        self._thread.join()

    def _write_all(self) -> None:
        kept: list[Entry] = []
        while True:
            last = self._closing.wait(BATCH_SECONDS)
            while not self._waiting.empty():
                kept.append(self._waiting.get_nowait())
            if kept:
                try:
                    self._write(kept)
                except DependentServiceFailure as error:
                    log.warning("the audit log cannot be written; it is tried again: %s", error)
                except Exception:
                    log.exception("the audit log cannot be written; it is tried again")
                else:
                    kept = []
            if last:
                for entry in kept:
                    log.error("the audit log could not be written; lost: %s", entry)
                return

    def _write(self, entries: list[Entry]) -> None:
        with self._database.write(NOTHING) as tx:
            for entry in entries:
                audit.insert_entry(tx.conn, entry)


def _made(output: Any) -> str | None:
    """The id of an app that the call made."""
    return getattr(getattr(output, "app", None), "app_id", None)


def _target(request: Any) -> str:
    pairs = [(name, getattr(request, name, None)) for name in _NAMES]
    return " ".join(f"{_wire(name)}={value}" for name, value in pairs if isinstance(value, str))[:MAX_TARGET]


def _wire(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
