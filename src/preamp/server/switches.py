"""`POST /_preamp/rollback` and `/_preamp/promote`, `GET /_preamp/switches`.

rollback   app, branch, and optionally job: serve that job's release, or that of the job before
promote    app, from, to: serve in branch `to` what branch `from` serves
switches   app, branch: what was switched by hand, newest first

They need the permission for StartDeployment of the branch that is changed, GetBranch of one that is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from preamp.engine.switch import promote, roll_back
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.errors import NotFound
from preamp.model.releases import Body
from preamp.model.switches import Switch
from preamp.model.times import iso, now_ms
from preamp.server.own import Call, Endpoint
from preamp.store import branches, releases, switches
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.manifests import ManifestError, read_manifest

SHOWN = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    database: Database
    blobs: BlobStore

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {
            "/_preamp/rollback": Endpoint(method="POST", answer=self.rollback),
            "/_preamp/promote": Endpoint(method="POST", answer=self.promote),
            "/_preamp/switches": Endpoint(method="GET", answer=self.list),
        }

    def rollback(self, call: Call) -> dict[str, Any]:
        app_id, name, job = call.get("app"), call.get("branch"), call.number("job")
        call.check("StartDeployment", app_id=app_id, branch_name=name)
        with self.database.write() as tx:
            _, branch = _find(tx.conn, call, app_id, name)
            done = roll_back(tx, branch, job=job, actor=_actor(call), now=now_ms())
            self._check_stored(tx.conn, done)
        return _shown(done, name)

    def promote(self, call: Call) -> dict[str, Any]:
        app_id, source, target = call.get("app"), call.get("from"), call.get("to")
        call.check("GetBranch", app_id=app_id, branch_name=source)
        call.check("StartDeployment", app_id=app_id, branch_name=target)
        with self.database.write() as tx:
            app, source_branch = _find(tx.conn, call, app_id, source)
            _, target_branch = _find(tx.conn, call, app_id, target)
            done = promote(tx, app, source_branch, target_branch, actor=_actor(call), now=now_ms())
            self._check_stored(tx.conn, done)
        return _shown(done, target)

    def list(self, call: Call) -> dict[str, Any]:
        app_id, name = call.get("app"), call.get("branch")
        call.check("GetBranch", app_id=app_id, branch_name=name)
        with self.database.read() as conn:
            _, branch = _find(conn, call, app_id, name)
            found = switches.list_switches(conn, branch.branch_id, limit=SHOWN)
        return {"switches": [_shown(item, name) for item in found]}

    def _check_stored(self, conn: Connection, done: Switch) -> None:
        """Raises ManifestError's text as NotFound: a release that cannot be read is not switched to."""
        release = releases.get_release_of_job(conn, done.branch_id, done.to_job)
        assert release is not None, "switched to a moment ago, in this transaction"
        try:
            read_manifest(self.blobs, Body(blob=release.manifest.blob, size=release.manifest.size))
        except ManifestError as error:
            raise NotFound(f"The release of job {done.to_job} cannot be served: {error}") from error


def _find(conn: Connection, call: Call, app_id: str, name: str) -> tuple[App, Branch]:
    app, branch = branches.get_with_app(conn, call.identity.scope, app_id, name)
    if app is None:
        raise NotFound(f"App {app_id[:100]} not found.")
    if branch is None:
        raise NotFound(f"Branch {name[:100]} not found.")
    return app, branch


def _actor(call: Call) -> str:
    return call.identity.key.access_key_id


def _shown(switch: Switch, branch: str) -> dict[str, Any]:
    return {
        "branch": branch,
        "kind": switch.kind.value,
        "fromJob": switch.from_job,
        "toJob": switch.to_job,
        "sourceBranch": switch.source_branch,
        "sourceJob": switch.source_job,
        "by": switch.actor,
        "at": iso(switch.at_ms),
    }
