"""What goes wrong outside: each ends in a clear message in the right place, never in lost work."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.repositories import STATIC_SPEC, new_repository


def serve(data: Path, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return subprocess.run(
        [sys.executable, "-m", "preamp", "serve", "--data", str(data), *flags],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("flag", ["control", "edge"])
def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other = "edge" if flag == "control" else "control"
        done = serve(tmp_path / "data", f"--{flag}", address, f"--{other}", "127.0.0.1:0")
    assert done.returncode == 2
    assert f"cannot listen on {address}: Address already in use" in done.stderr
    assert f"--{flag}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "data") as first:
        done = serve(first.data, "--control", "127.0.0.1:0", "--edge", "127.0.0.1:0")
        assert done.returncode == 2
        assert "is in use by another Preamp (pid " in done.stderr
        assert first.client().list_apps()["apps"] == []


def test_data_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data):
        pass
    with closing(sqlite3.connect(data / "preamp.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        before = list(connection.iterdump())
    done = serve(data, "--control", "127.0.0.1:0", "--edge", "127.0.0.1:0")
    assert done.returncode == 2
    assert "written by a newer Preamp (schema 9999" in done.stderr
    with closing(sqlite3.connect(data / "preamp.db")) as connection:
        assert list(connection.iterdump()) == before


def test_emulator_mode_refuses_to_listen_to_other_machines(tmp_path: Path) -> None:
    flags = ("--auth", "any", "--control", "0.0.0.0:0", "--edge", "127.0.0.1:0")
    done = serve(tmp_path / "data", *flags)
    assert done.returncode == 2
    assert "--auth any lets everyone in" in done.stderr


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = serve(tmp_path / "file" / "data", "--control", "127.0.0.1:0", "--edge", "127.0.0.1:0")
    assert done.returncode == 2
    assert f"the data folder {tmp_path / 'file' / 'data'} cannot be used" in done.stderr


@pytest.mark.needs("bwrap")
def test_without_git_a_job_says_so_and_the_server_lives(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in Path(folder).glob("*") if Path(folder).is_dir() else ():
            if tool.name != "git" and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    with running(tmp_path / "data", PATH=str(tools)) as preamp:
        client = preamp.client()
        app_id = client.create_app(name="x", repository="https://example.com/x.git")["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        job = wait_for_job(client, app_id, "main", "1")
        assert job["summary"]["status"] == "FAILED"
        assert "git is not installed" in job["steps"][0]["statusReason"]
        assert client.get_app(appId=app_id)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.needs("git", "bwrap", "mount")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_refuses_new_work_and_keeps_the_old(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "git", {"index.html": "kept", "amplify.yml": STATIC_SPEC})
    with (
        small_disk(tmp_path / "disk", 64) as disk,
        running(disk / "data", PREAMP_MIN_FREE_BYTES=str(8 << 20)) as preamp,
    ):
        client = preamp.client()
        app_id = client.create_app(name="x", repository=repository.url)["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        assert wait_for_job(client, app_id, "main", "1")["summary"]["status"] == "SUCCEED"

        filler = disk / "filler"
        with filler.open("wb") as file:
            file.write(b"x" * (shutil.disk_usage(disk).free - (4 << 20)))
        with pytest.raises(ClientError) as caught:
            client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        assert caught.value.response["Error"]["Code"] == "DependentServiceFailureException"
        assert "disk of Preamp's data folder is full" in caught.value.response["Error"]["Message"]
        assert preamp.fetch(app_id, "main") == (200, b"kept")
        assert len(client.list_jobs(appId=app_id, branchName="main")["jobSummaries"]) == 1

        filler.unlink()
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        assert wait_for_job(client, app_id, "main", "2")["summary"]["status"] == "SUCCEED"


@pytest.mark.needs("git", "bwrap", "mount")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_during_a_job_fails_it_with_the_reason(tmp_path: Path) -> None:
    spec = STATIC_SPEC.replace("cp index.html dist/", "head -c 80000000 /dev/urandom > dist/big")
    repository = new_repository(tmp_path / "git", {"amplify.yml": spec})
    with (
        small_disk(tmp_path / "disk", 48) as disk,
        running(disk / "data", PREAMP_MIN_FREE_BYTES="0") as preamp,
    ):
        client = preamp.client()
        app_id = client.create_app(name="x", repository=repository.url)["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        job = wait_for_job(client, app_id, "main", "1")
        assert job["summary"]["status"] == "FAILED"
        assert "No space left" in job["steps"][-1]["statusReason"]
        # What was written in vain is gone: the next job has room.
        repository.commit({"amplify.yml": STATIC_SPEC, "index.html": "fits"})
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        assert wait_for_job(client, app_id, "main", "2")["summary"]["status"] == "SUCCEED"
        assert preamp.fetch(app_id, "main") == (200, b"fits")


def test_sigterm_hands_a_running_job_back_and_the_next_start_ends_it(tmp_path: Path) -> None:
    spec = STATIC_SPEC.replace("- mkdir -p dist", "- mkdir -p dist && sleep 2")
    repository = new_repository(tmp_path / "git", {"index.html": "again", "amplify.yml": spec})
    preamp = Preamp(data=tmp_path / "data", flags=("--drain-seconds", "0"))
    preamp.start()
    client = preamp.client()
    app_id = client.create_app(name="x", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")

    def running_now() -> bool:
        job = client.get_job(appId=app_id, branchName="main", jobId="1")["job"]
        return bool(job["summary"]["status"] == "RUNNING")

    until(running_now, "the job to run")
    assert preamp.stop() == 0
    preamp.start()
    try:
        assert wait_for_job(client, app_id, "main", "1")["summary"]["status"] == "SUCCEED"
        assert preamp.fetch(app_id, "main") == (200, b"again")
    finally:
        preamp.stop()


CUT_IN = ("init", "fetch", "checkout")


def slow_git(folder: Path) -> Path:
    """A folder with a `git` that never ends the command whose name is in `folder`/moment, once; it says so by
    `folder`/reached. A `git init` has got half of its work done by then."""
    tools = folder / "bin"
    tools.mkdir(parents=True)
    (tools / "git").write_text(
        f"""#!/bin/sh
real={shutil.which("git")} moment=$(cat {folder}/moment 2>/dev/null)
if [ "$1" = "$moment" ]; then
  rm {folder}/moment
  if [ "$1" = init ]; then
    "$real" "$@"
    for place in "$@"; do :; done
    rm -r "$place/objects"  # git makes these last
  fi
  touch {folder}/reached
  sleep 600
fi
exec "$real" "$@"
"""
    )
    (tools / "git").chmod(0o755)
    return tools


@pytest.mark.needs("git", "bwrap")
def test_a_job_that_is_handed_back_at_any_moment_runs_again(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "git", {"index.html": "again", "amplify.yml": STATIC_SPEC})
    path = f"{slow_git(tmp_path / 'slow')}{os.pathsep}{os.environ['PATH']}"
    flags = ("--drain-seconds", "0")
    preamp = Preamp(data=tmp_path / "data", flags=flags, environment={"PATH": path})
    preamp.start()
    client = preamp.client()
    app_id = client.create_app(name="x", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    moment, reached = tmp_path / "slow/moment", tmp_path / "slow/reached"
    moment.write_text(CUT_IN[0])
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    try:
        for following in (*CUT_IN[1:], None):
            until(reached.exists, "git to be at work")
            assert preamp.stop() == 0
            reached.unlink()
            if following is not None:
                moment.write_text(following)
            preamp.start()
        job = wait_for_job(client, app_id, "main", "1")
        assert job["summary"]["status"] == "SUCCEED", job
        assert preamp.fetch(app_id, "main") == (200, b"again")
    finally:
        preamp.stop()


def test_a_worker_whose_dispatcher_fails_begins_anew(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "git", {"index.html": "taken", "amplify.yml": STATIC_SPEC})
    planted = tmp_path / "fails once"
    folder = Path(__file__).parents[1] / "support" / "dead_dispatcher"
    with running(tmp_path / "data", PYTHONPATH=str(folder), PREAMP_TEST_DISPATCHER=str(planted)) as preamp:
        client = preamp.client()
        app_id = client.create_app(name="x", repository=repository.url)["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        planted.touch()
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        assert wait_for_job(client, app_id, "main", "1")["summary"]["status"] == "SUCCEED"
        assert not planted.exists()
        assert "running jobs ended by itself: this process stops" in preamp.log()
