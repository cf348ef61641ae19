"""Databases as releases left them, kept in `tests/data/releases/`, and what the API said about them then.

`tools/save_release.sh` writes the folder of the current version. A folder holds `sqlite.sql`,
`postgresql.sql` and `answers.json`, which is about either.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from preamp import __version__
from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.model.ids import new_release_id
from preamp.model.jobs import StepName, StepStatus
from preamp.model.quotas import Quota
from preamp.model.releases import Manifest, Release
from preamp.model.secrets import EVERY_BRANCH, Secret
from preamp.model.times import now_ms
from preamp.server.prepare import prepare
from preamp.settings import Settings
from preamp.store import artifacts, branches, quotas, secrets, steps, workers
from preamp.store.blobs import Blob, LocalBlobs
from preamp.store.database import Database
from preamp.store.folder import DataFolder
from preamp.store.manifests import write_manifest
from preamp.store.workers import Worker
from tests.conftest import find_tool
from tests.support.control import REPOSITORY, InProcess, in_process
from tests.support.own import call
from tests.support.postgres import Postgres
from tests.support.rows import SCOPE, push

FOLDER = Path(__file__).parent.parent / "data" / "releases"
MASTER_KEY = "5e" * 32
"""Seals the secrets in the saved databases, which are nobody's."""
WORKER = Worker(worker_id="0123456789abcdef", host="builder", boot_id="gone", pid=1, pid_start=1)


@dataclass(frozen=True)
class Saved:
    """A saved release."""

    folder: Path

    def load_sqlite(self, data: Path) -> None:
        """Into a data folder that does not exist yet."""
        DataFolder(data).make()
        with closing(sqlite3.connect(DataFolder(data).database)) as conn:
            conn.executescript((self.folder / "sqlite.sql").read_text())

    def load_postgresql(self, url: str) -> None:
        """Into an empty database."""
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute((self.folder / "postgresql.sql").read_bytes())

    def answers(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "answers.json").read_text()))


def saved_releases() -> list[Saved]:
    return [Saved(folder) for folder in sorted(FOLDER.iterdir())]


def answers(preamp: InProcess) -> dict[str, Any]:
    """What the API says about everything; signed URLs without their signatures."""
    client = preamp.client()
    found: dict[str, Any] = {"apps": client.list_apps()["apps"]}
    for app in found["apps"]:
        app_id = app["appId"]
        for operation in ("webhooks", "backend_environments", "domain_associations"):
            answer = getattr(client, f"list_{operation}")(appId=app_id)
            found[f"{app_id} {operation}"] = {k: v for k, v in answer.items() if k != "ResponseMetadata"}
        found[f"{app_id} branches"] = client.list_branches(appId=app_id)["branches"]
        for branch in found[f"{app_id} branches"]:
            name = branch["branchName"]
            where = {"appId": app_id, "branchName": name}
            for summary in client.list_jobs(**where)["jobSummaries"]:
                job_id = summary["jobId"]
                found[f"{app_id} {name} {job_id}"] = {
                    "summary": summary,
                    "job": client.get_job(**where, jobId=job_id)["job"],
                    "artifacts": client.list_artifacts(**where, jobId=job_id)["artifacts"],
                }
            _, found[f"{app_id} {name} switches"] = call(
                preamp, "GET", "/_preamp/switches", app=app_id, branch=name
            )
    return dict(_plain(found))


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case datetime():
            return value.timestamp()
        case str() if "/_preamp/" in value:
            return "a signed URL"
    return value


def fill(preamp: InProcess) -> None:
    """Something of everything that is stored."""
    client, database = preamp.client(), preamp.database
    preamp.make_key(name="reader", policy=json.dumps({"Version": "2012-10-17", "Statement": []}))
    app_id = client.create_app(
        name="site",
        repository=REPOSITORY,
        oauthToken="t",
        description="All kinds of jobs",
        environmentVariables={"A": "1", "B": "x=y z"},
        customRules=[{"source": "/<*>", "target": "/index.html", "status": "404-200"}],
        customHeaders="customHeaders:\n  - pattern: '**'\n    headers:\n      - key: X-A\n        value: b\n",
        buildSpec="version: 1\nfrontend:\n  artifacts:\n    baseDirectory: dist\n    files: ['**/*']\n",
        tags={"team": "web"},
        enableBranchAutoBuild=True,
    )["app"]["appId"]
    client.create_branch(
        appId=app_id,
        branchName="main",
        stage="PRODUCTION",
        enableSkewProtection=True,
        environmentVariables={"C": "2"},
        basicAuthCredentials="dTpw",
        enableBasicAuth=True,
        tags={"branch": "yes"},
    )
    client.create_branch(appId=app_id, branchName="feature/one", ttl="60")
    client.create_webhook(appId=app_id, branchName="main", description="from the git server")
    client.create_backend_environment(appId=app_id, environmentName="staging")
    client.create_domain_association(
        appId=app_id,
        domainName="example.com",
        subDomainSettings=[
            {"prefix": "", "branchName": "main"},
            {"prefix": "one", "branchName": "feature/one"},
        ],
    )
    master = preamp.control.services.master
    with database.write() as tx:
        workers.insert_worker(tx.conn, WORKER, now=now_ms())
        quotas.set_limit(tx.conn, SCOPE, Quota.CONCURRENT_JOBS, 7)
        secret = Secret(
            app_id=app_id, branch=EVERY_BRANCH, name="TOKEN", value="s", as_variable=True, updated_ms=now_ms()
        )
        secrets.put_secret(tx.conn, master, secret)
    _jobs(preamp, app_id)
    manual = client.create_app(name="uploads", platform="WEB")["app"]["appId"]
    client.create_branch(appId=manual, branchName="main")
    client.create_deployment(appId=manual, branchName="main", fileMap={"index.html": "0" * 32})
    client.create_branch(appId=app_id, branchName="gone")
    client.start_job(appId=app_id, branchName="gone", jobType="RELEASE")
    client.delete_branch(appId=app_id, branchName="gone")


def _jobs(preamp: InProcess, app_id: str) -> None:
    """On main: two that succeeded, of which the first is served again, one that failed, one that was
    stopped, one that runs, one that waits."""
    client, database = preamp.client(), preamp.database
    blobs = LocalBlobs(preamp.control.services.folder.blobs)
    for ending in ("succeed", "succeed", "fail", "stop"):
        claim = _claim(preamp, app_id)
        attempt = claim.attempt
        match ending:
            case "succeed":
                with database.write() as tx:
                    artifacts.replace_artifacts(
                        tx.conn,
                        attempt.branch_id,
                        attempt.number,
                        {"report.json": Blob(name="1" * 64, size=10)},
                    )
                release = Release(
                    release_id=new_release_id(),
                    branch_id=attempt.branch_id,
                    job=attempt.number,
                    manifest=write_manifest(blobs, Manifest(custom_headers=None)),
                    file_count=3,
                    total_bytes=4096,
                    created_ms=now_ms(),
                )
                assert finish.succeed(database, attempt, app_id=app_id, release=release, now=now_ms())
            case "fail":
                assert finish.fail(database, attempt, reason='It\'s "broken"\nreally: 100 % ü', now=now_ms())
            case "stop":
                client.stop_job(appId=app_id, branchName="main", jobId=str(attempt.number))
                assert finish.cancel(database, attempt, reason="stopped", now=now_ms())
    status, told = call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
    assert status == 200, told
    claim = _claim(preamp, app_id)
    with database.read() as conn:
        branch = branches.get_branch(conn, app_id, "main")
    assert branch is not None
    push(database, preamp.engine, branch)


def _claim(preamp: InProcess, app_id: str) -> Claim:
    """A running job of main, in its build."""
    preamp.client().start_job(appId=app_id, branchName="main", jobType="RELEASE", commitId="c0ffee")
    with preamp.database.read() as conn:
        found = branches.get_branch(conn, app_id, "main")
    assert found is not None
    claim = claim_next(preamp.database, found.branch_id, worker_id=WORKER.worker_id, concurrent_jobs=9)
    assert isinstance(claim, Claim)
    with preamp.database.write() as tx:
        steps.start_step(tx.conn, claim.attempt, StepName.BUILD, context=None, now=now_ms())
        steps.end_step(
            tx.conn, claim.attempt, StepName.BUILD, StepStatus.SUCCEED, status_reason=None, now=now_ms()
        )
        steps.start_step(tx.conn, claim.attempt, StepName.DEPLOY, context="{}", now=now_ms())
    return claim


def _dump_sqlite(data: Path) -> str:
    with closing(sqlite3.connect(DataFolder(data).database)) as conn:
        return "\n".join(conn.iterdump()) + "\n"


def _dump_postgresql(url: str) -> str:
    command = [str(find_tool("pg_dump")), "--inserts", "--no-owner", "--no-privileges", f"--dbname={url}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # What other versions of the server, or anything but psql, would stumble over.
    return re.sub(r"^(\\|SET transaction_timeout|-- Dumped ).*\n", "", done.stdout, flags=re.MULTILINE)


def save(folder: Path) -> None:
    """Write a saved release of the code that runs. PostgreSQL's rows are copies of SQLite's, so that both
    answer alike."""
    postgres = Postgres()
    with tempfile.TemporaryDirectory(prefix="preamp-release-") as temporary:
        data = Path(temporary) / "data"
        try:
            postgres.create()
            postgres.start()
            url = postgres.url(postgres.new_database())
            prepare(DataFolder(data), Settings(data=data, master_key=MASTER_KEY))
            with in_process(data, master_key=MASTER_KEY) as preamp:
                fill(preamp)
                said = answers(preamp)
                prepare(DataFolder(data), Settings(data=data, master_key=MASTER_KEY, database=url))
                _copy(preamp.database, url)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "sqlite.sql").write_text(_dump_sqlite(data))
            (folder / "postgresql.sql").write_text(_dump_postgresql(url))
            (folder / "answers.json").write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
        finally:
            postgres.remove()


def _copy(source: Database, url: str) -> None:
    from preamp.store.postgres import open_postgres
    from preamp.store.tables import metadata

    target = open_postgres(url)
    try:
        with source.read() as conn, target.write() as tx:
            for table in reversed(metadata.sorted_tables):
                tx.conn.execute(table.delete())
            for table in metadata.sorted_tables:
                rows = [dict(row) for row in conn.execute(table.select()).mappings()]
                if rows:
                    tx.conn.execute(table.insert(), rows)
            for name, column in _sequences(tx.conn):
                tx.conn.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), "
                    f"(SELECT coalesce(max({column}), 0) + 1 FROM {name}), false)"
                )
    finally:
        target.close()


def _sequences(conn: Any) -> Iterator[tuple[str, str]]:
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE column_default LIKE 'nextval%%'"
    )
    for row in conn.exec_driver_sql(query).all():
        yield row[0], row[1]


if __name__ == "__main__":
    target = FOLDER / __version__
    save(target)
    sizes = ", ".join(f"{file.name} {file.stat().st_size:,} bytes" for file in sorted(target.iterdir()))
    print(f"saved {target.name}: {sizes}")
    sys.exit(0)
