from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click.testing
import pytest

from preamp.cli.main import preamp as program
from preamp.store.hosting import site_of_host
from tests.support.control import InProcess, app_with_branch, in_process


@pytest.fixture
def preamp(tmp_path: Path) -> Any:
    with in_process(tmp_path / "data") as it:
        yield it


def run(preamp: InProcess, *arguments: str) -> click.testing.Result:
    data = str(preamp.control.services.folder.root)
    return click.testing.CliRunner().invoke(
        program, ["domains", *arguments, "--data", data], prog_name="preamp"
    )


def associate(client: Any, app_id: str, *prefixes: str) -> None:
    client.create_domain_association(
        appId=app_id,
        domainName="example.com",
        subDomainSettings=[{"prefix": prefix, "branchName": "main"} for prefix in prefixes],
    )


def test_an_operator_verifies_what_cannot_be_seen(preamp: InProcess) -> None:
    client = preamp.client()
    app_id = app_with_branch(client)
    associate(client, app_id, "", "www")
    listed = run(preamp, "list", app_id)
    assert "www.example.com  ->  main  CREATING  not verified: not looked up yet" in listed.output
    done = run(preamp, "verify", app_id, "WWW.example.com")
    assert done.output == "www.example.com is verified\n"
    with preamp.database.read() as conn:
        found = site_of_host(conn, "www.example.com")
        assert found is not None
        assert found.app_id == app_id
        assert site_of_host(conn, "example.com") is None
    done = run(preamp, "verify", app_id, "example.com")
    assert done.output == "example.com is verified\nwww.example.com is verified\n"
    rows = json.loads(run(preamp, "list", app_id, "--json").output)
    assert [(row["host"], row["verified"]) for row in rows] == [
        ("example.com", True),
        ("www.example.com", True),
    ]


def test_what_cannot_be_verified_is_told(preamp: InProcess) -> None:
    client = preamp.client()
    app_id = app_with_branch(client)
    result = run(preamp, "verify", app_id, "example.com")
    assert result.exit_code != 0
    assert f"the app {app_id} has no custom domain example.com" in result.output
    assert "there is no app d404" in run(preamp, "verify", "d404", "example.com").output
    assert "there is no app d404" in run(preamp, "list", "d404").output
    other = app_with_branch(client)
    associate(client, other, "www")
    associate(client, app_id, "www")
    result = run(preamp, "verify", app_id, "example.com")
    assert result.exit_code != 0
    assert "belongs to another domain association" in result.output
