"""A scripted server, and commands run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click.testing
import pytest

from preamp.cli.main import preamp
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
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeControl]:
    """A scripted server that the environment points at."""
    with fake_control() as state:
        monkeypatch.setenv("AWS_ENDPOINT_URL_AMPLIFY", state.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield state
