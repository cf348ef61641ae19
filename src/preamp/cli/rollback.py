"""`preamp rollback` and `preamp promote`: serve another stored release, at once and without a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from preamp.cli.options import data_flag, json_flag, print_json


@click.command()
@click.argument("app")
@click.argument("branch")
@click.argument("job", required=False, type=click.IntRange(min=1))
@data_flag
@json_flag
def rollback(app: str, branch: str, job: int | None, data: Path | None, as_json: bool) -> None:
    """Serve an earlier release of BRANCH again: that of JOB, or the one before.

    Nothing is built; edges switch at once. The next job that succeeds moves the branch
    forward again. APP is a name or an id.
    """
    parameters = [("branch", branch)] + ([("job", str(job))] if job is not None else [])
    done = _switch("/_preamp/rollback", app, parameters, data)
    _tell(done, f"{branch} serves job {done['toJob']} again (it was job {done['fromJob']})", as_json)


@click.command()
@click.argument("app")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@data_flag
@json_flag
def promote(app: str, source: str, target: str, data: Path | None, as_json: bool) -> None:
    """Serve in branch TO what branch FROM serves now, byte for byte.

    Nothing is built: what was baked into the files by FROM's variables stays in them. TO gets
    a job of its own for it. APP is a name or an id.
    """
    done = _switch("/_preamp/promote", app, [("from", source), ("to", target)], data)
    text = f"{target} serves job {done['sourceJob']} of {source}, as its own job {done['toJob']}"
    _tell(done, text, as_json)


def _switch(path: str, app: str, parameters: list[tuple[str, str]], data: Path | None) -> dict[str, Any]:
    from preamp.cli.connection import find_endpoint
    from preamp.cli.remote import Remote

    remote = Remote(find_endpoint(data))
    found: dict[str, Any] = remote.own(path, [("app", remote.app(app).app_id), *parameters], method="POST")
    return found


def _tell(done: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        click.echo(text)
