"""A scripted server, a data folder, and commands run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click.testing
import pytest

from preamp.cli.main import preamp
from preamp.model.apps import App, AppConfig
from preamp.model.branches import BranchConfig
from preamp.model.caller import Scope
from preamp.store import apps, branches
from preamp.store.database import open_sqlite
from preamp.store.folder import DataFolder
from tests.support.fake_control import FakeControl, fake_control

Run = Callable[..., click.testing.Result]


@pytest.fixture
def run() -> Run:
    """Run a command: `run("jobs", "site", "main")`."""

    def call(*arguments: Any, env: dict[str, str] | None = None) -> click.testing.Result:
        runner = click.testing.CliRunner(env=env)
        return runner.invoke(preamp, [str(argument) for argument in arguments], prog_name="preamp")

    return call


@pytest.fixture
def data(run: Run, tmp_path: Path) -> Path:
    """A folder with the app `dsite`, called `shop`, and its branch `main`."""
    assert run("keys", "create", "root", "--data", tmp_path).exit_code == 0
    database = open_sqlite(DataFolder(tmp_path).database)
    with database.write() as tx:
        scope = Scope(account="000000000000", region="us-east-1")
        config = AppConfig(name="shop")
        apps.insert_app(tx.conn, App(app_id="dsite", scope=scope, config=config, created_ms=0, updated_ms=0))
        branches.insert_branch(
            tx.conn, app_id="dsite", name="main", label="main", config=BranchConfig(), tags={}, now=0
        )
    database.close()
    return tmp_path


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeControl]:
    """A scripted server that the environment points at."""
    with fake_control() as state:
        monkeypatch.setenv("AWS_ENDPOINT_URL_AMPLIFY", state.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield state
