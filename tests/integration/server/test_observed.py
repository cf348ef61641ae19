"""Metrics and the audit log of a control process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from preamp.cli.main import preamp as command
from preamp.model.work import working_on
from preamp.server.logs import JsonLines, TextLines
from preamp.server.metrics import render
from preamp.store import audit
from preamp.store.counters import PROCESS, Sample, keep_written, read_all
from tests.support.control import ENDPOINT, REPOSITORY, InProcess, in_process, refused
from tests.support.own import call

METRICS = f"{ENDPOINT}/_preamp/metrics"


def answered(preamp: InProcess, peer: str, **headers: str) -> tuple[int, str]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/_preamp/metrics",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": (peer, 1),
    }
    asyncio.run(preamp.control.app(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["status"], sent[1]["body"].decode()


def test_numbers_of_jobs_and_processes(tmp_path: Path) -> None:
    with in_process(tmp_path / "data") as preamp:
        client = preamp.client()
        app_id = client.create_app(name="site", repository=REPOSITORY, oauthToken="t")["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        run = preamp.control.services.folder.run

        async def a_worker_lives() -> tuple[int, str]:
            task = asyncio.create_task(
                keep_written(run, "worker", before=lambda: PROCESS.set("preamp_worker_slots", 4))
            )
            while not list(read_all(run)):  # noqa: ASYNC110 (a file appears)
                await asyncio.sleep(0.01)
            found = await asyncio.to_thread(answered, preamp, "127.0.0.1")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return found

        status, text = asyncio.run(a_worker_lives())
        assert status == 200
        lines = text.splitlines()
        assert 'preamp_jobs_open{state="PENDING"} 1' in lines
        assert 'preamp_jobs_open{state="RUNNING"} 0' in lines
        assert f'preamp_worker_slots{{process="{os.getpid()}",role="worker"}} 4' in lines
        assert list(read_all(run)) == []


def test_files_of_dead_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "worker-4194999.json").write_text("[]")
    assert list(read_all(tmp_path)) == []
    assert list((tmp_path / "metrics").iterdir()) == []


def test_who_gets_the_numbers(tmp_path: Path) -> None:
    with in_process(tmp_path / "a") as preamp:
        assert answered(preamp, "127.0.0.1")[0] == 200
        assert answered(preamp, "192.0.2.1")[0] == 403
    with in_process(tmp_path / "b", metrics_token="long enough") as preamp:
        assert answered(preamp, "127.0.0.1")[0] == 403
        assert answered(preamp, "192.0.2.1", authorization="Bearer wrong one")[0] == 403
        assert answered(preamp, "192.0.2.1", authorization="Bearer long enough")[0] == 200


def test_values_are_escaped() -> None:
    text = render([Sample("x", (("name", 'a"b\\c\n'),), 1.5)])
    assert text.splitlines()[-1] == 'x{name="a\\"b\\\\c\\n"} 1.5'


def test_every_change_is_in_the_audit_log_with_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    with in_process(data) as preamp:
        client, key = preamp.client(), preamp.administrator().access_key_id
        app_id = client.create_app(name="site")["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main", environmentVariables={"TOKEN": "hidden-value"})
        client.list_apps()
        with refused("NotFoundException"):
            client.stop_job(appId=app_id, branchName="main", jobId="7")
        call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
        call(preamp, "POST", "/_preamp/rollback", sign=False, app=app_id, branch="main")
    monkeypatch.setenv("PREAMP_DATA", str(data))
    done = CliRunner().invoke(command, ["audit", "--json"])
    assert done.exit_code == 0, done.output
    entries = json.loads(done.output)
    assert "hidden-value" not in done.output
    assert [
        (item["operation"], item["actor"], item["app_id"], item["target"], item["result"]) for item in entries
    ] == [
        ("/_preamp/rollback", "unknown", app_id, "branch=main", "MissingAuthenticationTokenException"),
        ("/_preamp/rollback", key, app_id, "branch=main", "NotFoundException"),
        ("StopJob", key, app_id, "branchName=main jobId=7", "NotFoundException"),
        ("CreateBranch", key, app_id, "branchName=main", "OK"),
        ("CreateApp", key, app_id, "name=site", "OK"),
    ]
    assert all(item["request_id"] for item in entries[2:])
    only = CliRunner().invoke(command, ["audit", "--app", "dother"])
    assert only.output == ""


def test_calls_of_webhooks_are_in_the_audit_log(tmp_path: Path) -> None:
    with in_process(tmp_path / "data") as preamp:
        client = preamp.client()
        app_id = client.create_app(name="site", repository=REPOSITORY, oauthToken="t")["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        webhook = client.create_webhook(appId=app_id, branchName="main")["webhook"]
        url, webhook_id = webhook["webhookUrl"], webhook["webhookId"]
        assert preamp.fetch("POST", url)[0] == 202
        assert preamp.fetch("POST", url.replace("token=", "token=0"))[0] == 403
        assert preamp.fetch("POST", url.replace("operation=startbuild", "operation=other"))[0] == 400
        other_id = client.create_app(name="uploads")["app"]["appId"]
        client.create_branch(appId=other_id, branchName="main")
        other = client.create_webhook(appId=other_id, branchName="main")["webhook"]
        assert preamp.fetch("POST", other["webhookUrl"])[0] == 400
        assert preamp.fetch("GET", url)[0] == 405
        preamp.control.audit.close()
        with preamp.database.read() as conn:
            found = [
                entry
                for entry in audit.newest(conn, app_id=None, limit=9)
                if entry.operation == "/_preamp/webhooks"
            ]
    token = url.partition("token=")[2].partition("&")[0]
    assert token not in repr(found)
    about = f"webhookId={webhook_id}"
    assert [(item.account, item.actor, item.app_id, item.target, item.result) for item in found] == [
        (
            "000000000000",
            f"webhook:{other['webhookId']}",
            other_id,
            f"webhookId={other['webhookId']} branchName=main",
            "BadRequestException",
        ),
        (None, "unknown", None, "webhookId=", "BadRequestException"),
        (None, "unknown", None, about, "AccessDeniedException"),
        ("000000000000", f"webhook:{webhook_id}", app_id, f"{about} branchName=main jobId=1", "OK"),
    ]


def test_old_entries_go(tmp_path: Path) -> None:
    with in_process(tmp_path / "data") as preamp:
        preamp.client().create_app(name="site")
        preamp.control.audit.close()
        with preamp.database.write() as tx:
            (entry,) = audit.newest(tx.conn, app_id=None, limit=9)
            assert audit.delete_before(tx.conn, entry.at_ms) == 0
            assert audit.delete_before(tx.conn, entry.at_ms + 1) == 1


def test_a_line_of_json_says_what_it_belongs_to() -> None:
    record = logging.LogRecord("preamp.x", logging.INFO, "x.py", 1, "said %s", ("ä",), None)
    with working_on(branch_id=3, job_id="4", attempt=1, app_id="", branch_name="a\nb"):
        line = json.loads(JsonLines("worker").format(record))
        text = TextLines("worker").format(record)
    assert (line["message"], line["role"], line["level"]) == ("said ä", "worker", "INFO")
    assert (line["branch_id"], line["job_id"], line["attempt"]) == (3, "4", 1)
    assert "app_id" not in line  # not known
    assert text.endswith('worker preamp.x: said ä [branch_id=3 job_id=4 attempt=1 branch_name="a\\nb"]')
    assert "job_id" not in json.loads(JsonLines("worker").format(record))
    assert TextLines("worker").format(record).endswith("said ä")
