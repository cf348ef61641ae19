"""Commands that change a data folder leave an entry in its audit log."""

from __future__ import annotations

import json
import os
import pwd
import socket
from pathlib import Path
from typing import Any

import pytest

from preamp.cli.maintenance import DEFAULT
from preamp.model.errors import DependentServiceFailure
from preamp.store import apps, audit
from tests.unit.cli.conftest import Run


def entries(run: Run, data: Path) -> list[dict[str, Any]]:
    """Oldest first, without the key that the folder was made with."""
    done = run("audit", "--data", data, "--json")
    assert done.exit_code == 0, done.output
    return list(reversed(json.loads(done.output)))[1:]


def test_each_change_is_told_with_who_what_and_result(run: Run, data: Path, tmp_path: Path) -> None:
    value = tmp_path / "value"
    value.write_text("a very secret value")
    image = tmp_path / "image.tar"
    image.write_text("no archive")
    for arguments in (
        ("secrets", "set", "shop", "TOKEN", "--branch", "main", "--from", value),
        ("secrets", "delete", "shop", "OTHER"),
        ("credentials", "shop", "--ssh-key", value),
        ("access", "deny", "shop", "192.0.2.1", "198.51.100.0/24"),
        ("maintenance", "on", "nothing", "main"),
        ("assets", "immutable", "dsite", "on"),
        ("quotas", "set", "apps", "7"),
        ("cache", "clear", "shop"),
        ("domains", "verify", "dsite", "example.com"),
        ("keys", "disable", "AKIAUNKNOWN"),
        ("images", "import", "some:image", image),
        ("gc",),
        # These change nothing.
        ("gc", "--dry-run"),
        ("secrets", "list", "shop"),
        ("credentials", "shop"),
        ("access", "list", "shop"),
        ("quotas",),
    ):
        run(*arguments, "--data", data)
    found = entries(run, data)
    assert [
        (item["operation"].removeprefix("preamp "), item["app_id"], item["target"], item["result"])
        for item in found
    ] == [
        ("secrets set", "dsite", "name=TOKEN branch=main file=given", "OK"),
        ("secrets delete", "dsite", "name=OTHER", "CommandError"),
        ("credentials", "dsite", "key=given", "CommandError"),
        ("access deny", "dsite", "networks=192.0.2.1,198.51.100.0/24", "OK"),
        ("maintenance on", None, f"app=nothing branch=main message={DEFAULT}", "CommandError"),
        ("assets immutable", "dsite", "state=on", "OK"),
        ("quotas set", None, "name=apps value=7 account=000000000000 region=us-east-1", "OK"),
        ("cache clear", "dsite", "", "OK"),
        ("domains verify", "dsite", "domain=example.com", "CommandError"),
        ("keys disable", None, "access_key_id=AKIAUNKNOWN", "CommandError"),
        ("images import", None, f"reference=some:image archives={image}", "Failure"),
        ("gc", None, "", "OK"),
    ]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert {item["actor"] for item in found} == {f"cli:{user}@{socket.gethostname()}"}
    assert all(item["at"] for item in found)
    assert "secret value" not in json.dumps(found)


def test_a_restored_folder_tells_that_it_was_restored(run: Run, data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "saved"
    assert run("backup", archive, "--data", data).exit_code == 0
    assert entries(run, data) == []  # nothing was changed
    done = run("restore", archive, "--data", tmp_path / "new")
    assert done.exit_code == 0, done.output
    (entry,) = entries(run, tmp_path / "new")
    assert (entry["operation"], entry["target"], entry["result"]) == (
        "preamp restore",
        f"file={archive}",
        "OK",
    )


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_backups_are_of_data_folders(run: Run, tmp_path: Path, command: str) -> None:
    done = run(command, tmp_path / "saved", env={"PREAMP_DATABASE": "postgresql://db.example/preamp"})
    assert done.exit_code == 2
    assert "their own tools" in done.stderr


def test_a_database_that_is_away_is_named(run: Run, tmp_path: Path) -> None:
    done = run("audit", "--data", tmp_path, env={"PREAMP_DATABASE": "postgresql://127.0.0.1:1/preamp"})
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: The database is away: ")


def test_a_new_key_is_named_and_its_secret_is_not(run: Run, data: Path) -> None:
    key = json.loads(run("keys", "create", "bob", "--data", data, "--json").output)
    (entry,) = entries(run, data)
    assert entry["target"] == f"name=bob accessKeyId={key['accessKeyId']}"
    assert key["secretAccessKey"] not in json.dumps(entry)


def test_a_command_says_when_the_log_takes_no_entry(
    run: Run,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise DependentServiceFailure("The disk is full.")

    monkeypatch.setattr(audit, "insert_entry", full)
    done = run("assets", "immutable", "shop", "on", "--data", data)
    assert done.exit_code == 0
    assert "the audit log has no entry about this: The disk is full." in done.stderr


def test_what_went_wrong_is_not_hidden_by_a_log_that_takes_no_entry(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[list[tuple[str, str]]] = [[]]

    def away_from_the_second_look_on(*_: object) -> list[tuple[str, str]]:
        if answers:
            return answers.pop()
        raise DependentServiceFailure("The database is away.")

    monkeypatch.setattr(apps, "find_by_id_or_name", away_from_the_second_look_on)
    done = run("assets", "immutable", "shop", "on", "--data", data)
    assert done.exit_code == 2
    assert "has no app 'shop'" in done.stderr
    assert "the audit log has no entry about this: The database is away." in done.stderr


def test_breaking_off_is_told(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("preamp.cli.secrets.read_secret", interrupted)
    run("secrets", "set", "shop", "TOKEN", "--data", data)
    assert entries(run, data)[-1]["result"] == "KeyboardInterrupt"
