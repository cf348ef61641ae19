"""A backup taken while jobs run, restored elsewhere: the same answers of the API and the same pages."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.support.preamp import Preamp, running, until, wait_for_job

PAGES = ("/", "/about.html", "/style.css", "/none")


def deploy(client: Any, folder: Path, app_id: str, branch: str, text: str) -> None:
    archive = folder / "upload.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.html", f"{text} home")
        file.writestr("about.html", f"{text} about " * 200)
        file.writestr("style.css", f"p {{ content: '{text}' }} " * 100)
    created = client.create_deployment(appId=app_id, branchName=branch)
    with urlopen(Request(created["zipUploadUrl"], data=archive.read_bytes(), method="PUT")) as answer:
        assert answer.status == 200
    client.start_deployment(appId=app_id, branchName=branch, jobId=created["jobId"])
    assert wait_for_job(client, app_id, branch, created["jobId"])["summary"]["status"] == "SUCCEED"


def seen(preamp: Preamp) -> dict[str, Any]:
    """Every answer of the API about everything, and every page; ports and signatures left out."""
    client = preamp.client()
    found: dict[str, Any] = {"apps": client.list_apps()["apps"]}
    for app in found["apps"]:
        app_id = app["appId"]
        found[app_id] = client.get_app(appId=app_id)["app"]
        for branch in client.list_branches(appId=app_id)["branches"]:
            name = branch["branchName"]
            found[f"{app_id}/{name}"] = branch
            for summary in client.list_jobs(appId=app_id, branchName=name)["jobSummaries"]:
                job = client.get_job(appId=app_id, branchName=name, jobId=summary["jobId"])["job"]
                found[f"{app_id}/{name}/{summary['jobId']}"] = job
                for step in job["steps"]:
                    with urlopen(step["logUrl"]) as answer:
                        found[f"{app_id}/{name}/{summary['jobId']}/{step['stepName']}"] = (
                            answer.read().decode()
                        )
            for path in PAGES:
                status, body = preamp.fetch(app_id, name, path)
                found[f"{app_id}/{name}{path}"] = (status, body.decode())
    return dict(json.loads(json.dumps(_plain(found), default=str)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value.startswith("http"):
        return urlsplit(value).path.rpartition("/")[0]  # the rest is a signature with a time
    return value


def test_the_restored_folder_answers_like_the_one_that_was_saved(tmp_path: Path) -> None:
    archive = tmp_path / "saved.tar.zst"
    domain = "sites.example"
    with running(tmp_path / "data", "--site-domain", domain) as preamp:
        client = preamp.client()
        for name in ("one", "two"):
            app_id = client.create_app(name=name, environmentVariables={"A": name})["app"]["appId"]
            client.create_branch(appId=app_id, branchName="main")
            deploy(client, tmp_path, app_id, "main", f"{name} first")
        deploy(client, tmp_path, app_id, "main", "two second")
        before = seen(preamp)
        done = preamp.run("backup", str(archive))
        assert done.returncode == 0, done.stderr
        assert seen(preamp) == before
        # What happens afterwards is not in it.
        client.delete_app(appId=app_id)
    assert archive.stat().st_mode & 0o077 == 0
    command = [sys.executable, "-m", "preamp", "restore", str(archive), "--data", str(tmp_path / "other")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with running(tmp_path / "other", "--site-domain", domain) as preamp:
        until(lambda: preamp.fetch(app_id, "main")[0] == 200, "the restored site")
        assert seen(preamp) == before
    # A folder with something in it is left alone.
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is not empty" in done.stderr


@pytest.mark.parametrize("damage", ["cut", "noise", "other"])
def test_a_damaged_backup_restores_nothing(tmp_path: Path, damage: str) -> None:
    from preamp.server.prepare import prepare
    from preamp.settings import Settings
    from preamp.store.backup import BackupError, make_backup, restore_backup
    from preamp.store.blobs import LocalBlobs
    from preamp.store.folder import DataFolder

    folder = DataFolder(tmp_path / "data")
    prepare(folder, Settings(data=folder.root))
    LocalBlobs(folder.blobs).put_bytes(b"not referred to")
    archive = tmp_path / "saved"
    make_backup(folder, archive)
    data = bytearray(archive.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "noise":
        data[len(data) // 2 : len(data) // 2 + 40] = bytes(range(40))
    else:
        data = bytearray(b"hello")
    archive.write_bytes(data)
    with pytest.raises(BackupError):
        restore_backup(archive, DataFolder(tmp_path / "new"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "saved"]
