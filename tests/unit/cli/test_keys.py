from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def create(run: Run, data: Path, *more: str) -> dict[str, str]:
    result = run("keys", "create", *more, "--data", data, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def listed(run: Run, data: Path) -> list[dict[str, object]]:
    return json.loads(run("keys", "list", "--data", data, "--json").output)


def test_life_of_a_key(run: Run, tmp_path: Path) -> None:
    create(run, tmp_path, "root")
    key = create(run, tmp_path, "alice")["accessKeyId"]
    assert [(row["name"], row["enabled"]) for row in listed(run, tmp_path)] == [
        ("root", True),
        ("alice", True),
    ]
    assert run("keys", "disable", key, "--data", tmp_path).exit_code == 0
    assert listed(run, tmp_path)[1]["enabled"] is False
    assert run("keys", "enable", key, "--data", tmp_path).exit_code == 0
    assert listed(run, tmp_path)[1]["enabled"] is True
    assert run("keys", "delete", key, "--data", tmp_path).exit_code == 0
    assert [row["name"] for row in listed(run, tmp_path)] == ["root"]


@pytest.mark.parametrize("command", ["disable", "delete"])
def test_last_administrator_is_spared(run: Run, tmp_path: Path, command: str) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}')
    data = tmp_path / "data"
    last = create(run, data, "alice")["accessKeyId"]
    off = create(run, data, "off")["accessKeyId"]
    limited = create(run, data, "bob", "--policy", str(policy))["accessKeyId"]
    assert run("keys", "disable", off, "--data", data).exit_code == 0
    before = listed(run, data)
    result = run("keys", command, last, "--data", data)
    assert result.exit_code == 2
    assert f"{last} is the last enabled administrator key" in result.stderr
    assert "keys create" in result.stderr
    assert listed(run, data) == before
    assert run("keys", command, limited, "--data", data).exit_code == 0
    assert run("keys", command, last, "--force", "--data", data).exit_code == 0
    assert not any(row["enabled"] and row["administrator"] for row in listed(run, data))


def test_list_shows_no_secret(run: Run, tmp_path: Path) -> None:
    secret = create(run, tmp_path, "alice")["secretAccessKey"]
    assert secret not in run("keys", "list", "--data", tmp_path).output
    assert secret not in run("keys", "list", "--data", tmp_path, "--json").output


def test_policy_is_checked_before_the_key_is_made(run: Run, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps"}]}')
    result = run("keys", "create", "bob", "--policy", policy, "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert f"{policy}: Statement[0].Effect: must be Allow or Deny" in result.stderr
    policy.write_text('{"Version": "2012-10-17",\n "Statement": [}')
    assert f"{policy}: line 2 column 16:" in run("keys", "create", "bob", "--policy", policy).stderr
    policy.write_bytes(b'{"Version\xff": 1}')
    assert "byte 9 is not UTF-8" in run("keys", "create", "bob", "--policy", policy).stderr
    assert listed(run, tmp_path / "data") == []
    statement = {"Effect": "Allow", "Action": "amplify:List*", "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    create(run, tmp_path / "data", "bob", "--policy", str(policy))
    assert listed(run, tmp_path / "data")[0]["administrator"] is False


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "a/b"])
def test_name_is_an_iam_user_name(run: Run, tmp_path: Path, name: str) -> None:
    result = run("keys", "create", name, "--data", tmp_path)
    assert result.exit_code == 2
    assert "is no user name" in result.stderr


@pytest.mark.parametrize("command", ["disable", "enable", "delete"])
def test_unknown_key(run: Run, tmp_path: Path, command: str) -> None:
    result = run("keys", command, "AKIANOSUCHKEY", "--data", tmp_path)
    assert result.exit_code == 2
    assert "there is no key AKIANOSUCHKEY" in result.stderr


def test_data_of_a_newer_version_is_left_alone(run: Run, tmp_path: Path) -> None:
    create(run, tmp_path, "alice")
    with sqlite3.connect(tmp_path / "preamp.db") as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    conn.close()
    result = run("keys", "list", "--data", tmp_path)
    assert result.exit_code == 2
    assert "newer Preamp" in result.stderr
