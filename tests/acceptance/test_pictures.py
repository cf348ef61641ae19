"""A picture of the page after a job, where Chromium is."""

from __future__ import annotations

import struct
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.repositories import new_repository

pytestmark = [pytest.mark.needs("git", "bwrap")]


@pytest.fixture
def preamp(tmp_path: Path) -> Iterator[Preamp]:
    with running(tmp_path / "data", PREAMP_SCREENSHOTS="true") as it:
        yield it


def released(preamp: Preamp, folder: Path, page: str) -> tuple[Any, str]:
    repository = new_repository(folder, {"index.html": page, "style.css": "body { background: #123456 }"})
    client = preamp.client()
    app_id = client.create_app(name="site", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    assert wait_for_job(client, app_id, "main", "1")["summary"]["status"] == "SUCCEED"
    return client, app_id


def verify_step(client: Any, app_id: str) -> dict[str, Any]:
    steps = client.get_job(appId=app_id, branchName="main", jobId="1")["job"]["steps"]
    return next(dict(step) for step in steps if step["stepName"] == "VERIFY")


@pytest.mark.needs("chromium")
def test_the_page_as_it_looks(preamp: Preamp, tmp_path: Path) -> None:
    client, app_id = released(preamp, tmp_path, '<link rel="stylesheet" href="/style.css"><h1>Hello</h1>')
    until(lambda: verify_step(client, app_id).get("screenshots"), "the picture")
    step = verify_step(client, app_id)
    assert step["status"] == "SUCCEED"
    [(name, url)] = step["screenshots"].items()
    assert name == "1280x800.png"
    thumbnail = client.get_branch(appId=app_id, branchName="main")["branch"]["thumbnailUrl"]
    for address in (url, thumbnail):
        with urllib.request.urlopen(address) as answer:
            assert answer.headers["Content-Type"] == "image/png"
            picture = answer.read()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", picture[16:24]) == (1280, 800)
    listed = client.list_artifacts(appId=app_id, branchName="main", jobId="1")["artifacts"]
    assert listed == [], "pictures are no test artifacts"
    branches = client.list_branches(appId=app_id)["branches"]
    assert "thumbnailUrl" in branches[0]


def test_where_pictures_are_off_the_step_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "data") as preamp:
        client, app_id = released(preamp, tmp_path, "<h1>Hello</h1>")
        step = verify_step(client, app_id)
        assert "screenshots" not in step
        with urllib.request.urlopen(step["logUrl"]) as answer:
            assert "No picture of the page is taken" in answer.read().decode()
