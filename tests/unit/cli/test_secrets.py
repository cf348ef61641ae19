from __future__ import annotations

import json
from pathlib import Path

import pytest

from preamp.build.cache import branch_folder
from preamp.store.apps import get_access_token, get_ssh_key
from preamp.store.folder import DataFolder
from tests.support.rows import add_app, add_branch, new_database
from tests.unit.cli.conftest import Run


@pytest.fixture
def app_id(tmp_path: Path) -> str:
    DataFolder(tmp_path).make()
    database = new_database(tmp_path)
    app = add_app(database)
    add_branch(database, app)
    database.close()
    return app.app_id


def test_life_of_a_secret(run: Run, tmp_path: Path, app_id: str) -> None:
    value = tmp_path / "value"
    value.write_text("hunter2hunter2\n")
    for more in ([], ["--branch", "main", "--variable"]):
        done = run("secrets", "set", "site", "KEY", "--from", value, "--data", tmp_path, *more)
        assert done.exit_code == 0, done.output
        assert "hunter2" not in done.output
    listed = run("secrets", "list", app_id, "--json", "--data", tmp_path).output
    assert "hunter2" not in listed
    assert [(row["branch"], row["variable"]) for row in json.loads(listed)] == [(None, False), ("main", True)]
    assert run("secrets", "delete", "site", "KEY", "--data", tmp_path).exit_code == 0
    assert run("secrets", "delete", "site", "KEY", "--data", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nosuch", "KEY"], "has no app 'nosuch'"),
        (["site", "1KEY"], "cannot be the name"),
        (["site", "AWS_KEY"], "reserved"),
        (["site", "KEY", "--branch", "gone"], "has no branch 'gone'"),
    ],
)
def test_wrong_use(run: Run, tmp_path: Path, app_id: str, arguments: list[str], told: str) -> None:
    value = tmp_path / "value"
    value.write_text("x")
    done = run("secrets", "set", *arguments, "--from", value, "--data", tmp_path)
    assert done.exit_code == 2
    assert told in done.stderr


def test_credentials_are_stored_sealed_and_never_shown(run: Run, tmp_path: Path, app_id: str) -> None:
    key = tmp_path / "key"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabcdef\n-----END OPENSSH PRIVATE KEY-----\n")
    done = run("credentials", "site", "--ssh-key", key, "--data", tmp_path)
    assert "SSH key: stored" in done.output
    assert "abcdef" not in done.output
    database = new_database(tmp_path)
    with database.read() as conn:
        sealed = get_ssh_key(conn, app_id)
        assert sealed is not None
        assert b"abcdef" not in sealed
        assert get_access_token(conn, app_id) is None
    database.close()
    assert "SSH key: none" in run("credentials", "site", "--forget", "--data", tmp_path).output
    key.write_text("ssh-ed25519 AAAA")
    assert run("credentials", "site", "--ssh-key", key, "--data", tmp_path).exit_code == 2


def test_caches(run: Run, tmp_path: Path, app_id: str) -> None:
    root = DataFolder(tmp_path).cache
    for app, branch in ((app_id, "main"), (app_id, "deleted"), ("local0123", "main")):
        folder = branch_folder(root, app, branch)
        folder.mkdir(parents=True)
        (folder / "a.tar.zst").write_bytes(b"x" * 1_000_000)
    rows = json.loads(run("cache", "list", "--json", "--data", tmp_path).output)
    assert sorted((row["appId"], row["branch"] or "-", row["bytes"]) for row in rows) == sorted(
        [(app_id, "main", 10**6), (app_id, "-", 10**6), ("local0123", "-", 10**6)]
    )
    assert "1.0 MB freed" in run("cache", "clear", "site", "--branch", "main", "--data", tmp_path).output
    assert "1.0 MB freed" in run("cache", "clear", "local", "--data", tmp_path).output
    assert "1.0 MB freed" in run("cache", "clear", "--data", tmp_path).output
    assert "0.0 MB in 0 caches" in run("cache", "list", "--data", tmp_path).output


def test_spec(run: Run, tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    done = run("spec", tmp_path)
    assert done.stdout.startswith("version: 1\n")
    assert "generated for static files" in done.stderr
    (tmp_path / "package.json").write_text('{"devDependencies": {"amplify-adapter": "1", "vite": "6"}}')
    assert "baseDirectory: dist" in run("spec", tmp_path).stdout
    assert "baseDirectory: build" in run("spec", tmp_path, "--platform", "WEB_COMPUTE").stdout
    (tmp_path / "amplify.yml").write_text("fronted: {}\n")
    done = run("spec", tmp_path)
    assert done.stdout == "fronted: {}\n"
    assert "did you mean `frontend`?" in done.stderr
    (tmp_path / "amplify.yml").write_text("frontend: [\n")
    done = run("spec", tmp_path)
    assert done.exit_code == 1
    assert "(" in done.stderr
