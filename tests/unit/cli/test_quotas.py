from __future__ import annotations

import json
from pathlib import Path

import pytest

from preamp.model.quotas import Quota
from tests.unit.cli.conftest import Run


def shown(run: Run, data: Path, *more: str) -> dict[str, dict[str, object]]:
    result = run("quotas", "--data", data, "--json", *more)
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.output)}


def change(run: Run, data: Path, *arguments: str) -> str:
    result = run("quotas", "set", *arguments, "--data", data)
    assert result.exit_code == 0, result.output
    return result.output


def test_all_are_listed_in_order(run: Run, tmp_path: Path) -> None:
    assert list(shown(run, tmp_path)) == list(Quota)
    lines = run("quotas", "--data", tmp_path).output.splitlines()
    assert lines[0].split() == ["apps", "25"]
    assert lines[1].split() == ["app-creations-per-hour", "unlimited"]


def test_set_and_reset(run: Run, tmp_path: Path) -> None:
    assert change(run, tmp_path, "apps", "7") == "apps is 7 for account 000000000000 in us-east-1\n"
    assert shown(run, tmp_path)["apps"] == {"name": "apps", "value": 7, "default": 25, "changed": True}
    assert "7  (default 25)" in run("quotas", "--data", tmp_path).output
    change(run, tmp_path, "apps", "unlimited")
    assert shown(run, tmp_path)["apps"]["value"] is None
    change(run, tmp_path, "apps", "default")
    assert shown(run, tmp_path)["apps"] == {"name": "apps", "value": 25, "default": 25, "changed": False}


def test_account_and_region_have_their_own(run: Run, tmp_path: Path) -> None:
    other = ("--account", "111111111111", "--region", "eu-west-1")
    change(run, tmp_path, "apps", "7", *other)
    assert shown(run, tmp_path)["apps"]["value"] == 25
    assert shown(run, tmp_path, *other)["apps"]["value"] == 7


def test_options_may_stand_before_the_subcommand(run: Run, tmp_path: Path) -> None:
    result = run("quotas", "--data", tmp_path, "--region", "eu-west-1", "set", "apps", "7")
    assert result.output == "apps is 7 for account 000000000000 in eu-west-1\n"
    assert shown(run, tmp_path, "--region", "eu-west-1")["apps"]["value"] == 7


def test_setting_is_the_default_of_concurrent_jobs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREAMP_CONCURRENT_JOBS", "9")
    assert shown(run, tmp_path)["concurrent-jobs"]["value"] == 9
    change(run, tmp_path, "concurrent-jobs", "2")
    assert shown(run, tmp_path)["concurrent-jobs"] == {
        "name": "concurrent-jobs",
        "value": 2,
        "default": 9,
        "changed": True,
    }


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("appz", "1", "there is no quota 'appz'; there are apps,"),
        ("apps", "many", "a number from 0 to 1000000000, `unlimited` or `default`"),
        ("apps", "1.5", "a number from 0"),
        ("apps", "9999999999", "a number from 0"),
        ("apps", "99999999999999999999", "a number from 0"),
        ("concurrent-jobs", "0", "a number from 1"),
    ],
)
def test_wrong_use(run: Run, tmp_path: Path, name: str, value: str, says: str) -> None:
    result = run("quotas", "set", name, value, "--data", tmp_path)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not any(row["changed"] for row in shown(run, tmp_path).values())


def test_account_has_twelve_digits(run: Run, tmp_path: Path) -> None:
    result = run("quotas", "--data", tmp_path, "--account", "123")
    assert result.exit_code == 2
    assert "'123' is no account id" in result.stderr
