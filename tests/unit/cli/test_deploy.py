from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support.fake_control import FakeControl, job, step
from tests.unit.cli.conftest import Run

DONE = job("SUCCEED", step("DEPLOY", "SUCCEED"))


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "index.html").write_text("hello")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    subprocess.run(["git", "init", "-q", "-b", "trunk", folder], check=True)
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    subprocess.run(
        ["git", "-C", folder, *identity, "commit", "-q", "--allow-empty", "-m", "first"], check=True
    )
    return folder


def test_folder_to_a_new_app(control: FakeControl, run: Run, dist: Path) -> None:
    control.jobs["1"] = [DONE]
    result = run("deploy", dist)
    assert result.exit_code == 0, result.output
    assert result.stdout == "http://main.dfake0.localhost:7780/\n"
    assert "DEPLOY: done" in result.stderr
    assert control.apps["dfake0"]["name"] == "dist"
    assert "repository" not in control.apps["dfake0"]
    with zipfile.ZipFile(io.BytesIO(control.uploads[0])) as archive:
        assert archive.read("index.html") == b"hello"
    order = [call for call in control.calls if "deployments" in call or "upload" in call]
    assert [call.rsplit("/", 1)[1] for call in order] == ["deployments", "upload", "start"]


def test_existing_app_and_branch_are_used(control: FakeControl, run: Run, dist: Path) -> None:
    app_id = control.add_app("shop")
    control.branches.add((app_id, "dev"))
    control.jobs["1"] = [DONE]
    result = run("deploy", dist, "--app", "shop", "--branch", "dev", "--json")
    assert json.loads(result.stdout) == {
        "appId": app_id,
        "branchName": "dev",
        "jobId": "1",
        "status": "SUCCEED",
        "url": f"http://dev.{app_id}.localhost:7780/",
    }
    assert len(control.apps) == 1
    assert "POST /apps" not in control.calls


def test_zip_file_goes_up_as_it_is(control: FakeControl, run: Run, tmp_path: Path) -> None:
    (tmp_path / "site.zip").write_bytes(b"not even a zip: the server judges")
    control.jobs["1"] = [DONE]
    assert run("deploy", tmp_path / "site.zip").exit_code == 0
    assert control.uploads == [b"not even a zip: the server judges"]


def test_nothing_is_created_for_an_empty_folder(control: FakeControl, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("deploy", tmp_path / "empty")
    assert result.exit_code == 2
    assert "holds no files" in result.stderr
    assert not [call for call in control.calls if call.startswith("POST")]


@pytest.mark.needs("git")
def test_repository_is_built(control: FakeControl, run: Run, repository: Path) -> None:
    control.jobs["1"] = [job("PENDING"), DONE]
    result = run("deploy", repository)
    assert result.exit_code == 0, result.output
    assert result.stdout == "http://trunk.dfake0.localhost:7780/\n"
    assert control.apps["dfake0"]["repository"] == repository.as_uri()
    assert control.started == [{"jobType": "RELEASE"}]
    assert control.uploads == []


@pytest.mark.needs("git")
def test_uncommitted_changes_are_mentioned(control: FakeControl, run: Run, repository: Path) -> None:
    (repository / "new").write_text("")
    control.jobs["1"] = [DONE]
    assert "uncommitted changes" in run("deploy", repository).stderr


@pytest.mark.needs("git")
def test_app_of_another_repository_is_not_taken_over(
    control: FakeControl, run: Run, repository: Path
) -> None:
    control.add_app("site", "https://example.com/other.git")
    result = run("deploy", repository)
    assert result.exit_code == 2
    assert "builds https://example.com/other.git" in result.stderr
    assert control.started == []


def test_files_do_not_go_to_an_app_with_a_repository(control: FakeControl, run: Run, dist: Path) -> None:
    control.add_app("dist", "https://example.com/site.git")
    result = run("deploy", dist)
    assert result.exit_code == 2
    assert "--app" in result.stderr
    assert control.uploads == []


def test_failed_job_is_status_1_with_reason_and_log(control: FakeControl, run: Run, dist: Path) -> None:
    control.logs["deploy"] = b"unpacking\n[ERROR]: entry leaves the folder\n"
    url = f"{control.url}/_preamp/logs/deploy"
    failed = step("DEPLOY", "FAILED", logUrl=url, statusReason="the archive is broken")
    control.jobs["1"] = [job("FAILED", failed)]
    result = run("deploy", dist)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "job 1 ended FAILED: the archive is broken" in result.stderr
    assert "[ERROR]: entry leaves the folder" in result.stderr


def test_without_waiting(control: FakeControl, run: Run, dist: Path) -> None:
    control.jobs["1"] = [job("PENDING")]
    result = run("deploy", dist, "--no-wait")
    assert result.exit_code == 0
    assert result.stdout == "http://main.dfake0.localhost:7780/\n"


def test_no_server(run: Run, dist: Path, tmp_path: Path) -> None:
    result = run("deploy", dist, "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "start one with `preamp serve`" in result.stderr


def test_a_bundle_makes_an_app_with_a_server(control: FakeControl, run: Run, dist: Path) -> None:
    (dist / "deploy-manifest.json").write_text("{}")
    with zipfile.ZipFile(dist.parent / "packed.zip", "w") as archive:
        archive.writestr("deploy-manifest.json", "{}")
    control.jobs.update({"1": [DONE], "2": [DONE], "3": [DONE]})
    assert run("deploy", dist).exit_code == 0
    assert run("deploy", dist.parent / "packed.zip").exit_code == 0
    assert run("deploy", dist, "--app", "plain", "--platform", "WEB").exit_code == 0
    assert {app["name"]: app.get("platform") for app in control.apps.values()} == {
        "dist": "WEB_COMPUTE",
        "packed": "WEB_COMPUTE",
        "plain": "WEB",
    }


def test_a_repository_may_be_told_to_have_a_server(control: FakeControl, run: Run, repository: Path) -> None:
    control.jobs.update({"1": [DONE], "2": [DONE]})
    assert run("deploy", repository, "--platform", "WEB_COMPUTE").exit_code == 0
    assert run("deploy", repository, "--app", "other").exit_code == 0
    assert [app.get("platform") for app in control.apps.values()] == ["WEB_COMPUTE", None]
