from __future__ import annotations

from pathlib import Path

import pytest

from preamp.model.secrets import EVERY_BRANCH, Secret, problem_of
from preamp.store.apps import delete_app
from preamp.store.database import Database
from preamp.store.sealing import MasterKey, SealError
from preamp.store.secrets import delete_secret, list_secrets, put_secret, secrets_of_branch
from preamp.store.tables import secrets as table
from tests.support.rows import add_app, new_database

MASTER = MasterKey(b"k" * 32)


@pytest.fixture
def database(tmp_path: Path):
    it = new_database(tmp_path)
    yield it
    it.close()


def secret(name: str, value: str, *, app_id: str, branch: str = EVERY_BRANCH) -> Secret:
    return Secret(app_id=app_id, branch=branch, name=name, value=value, as_variable=False, updated_ms=5)


def put(database: Database, *given: Secret) -> None:
    with database.write() as tx:
        for item in given:
            put_secret(tx.conn, MASTER, item)


def test_a_branch_wins_over_the_app(database: Database) -> None:
    app_id = add_app(database).app_id
    put(
        database,
        secret("A", "one", app_id=app_id),
        secret("A", "two", app_id=app_id, branch="dev"),
        secret("B", "three", app_id=app_id),
        secret("B", "4", app_id=app_id),
    )
    with database.read() as conn:
        dev = secrets_of_branch(conn, MASTER, app_id, "dev")
        main = secrets_of_branch(conn, MASTER, app_id, "main")
    assert {name: item.value for name, item in dev.items()} == {"A": "two", "B": "4"}
    assert {name: item.value for name, item in main.items()} == {"A": "one", "B": "4"}


def test_values_are_sealed_and_cannot_change_places(database: Database) -> None:
    app_id = add_app(database).app_id
    put(database, secret("A", "value of a", app_id=app_id), secret("B", "value of b", app_id=app_id))
    with database.write() as tx:
        rows = tx.conn.execute(table.select().order_by(table.c.name)).mappings().all()
        assert b"value" not in rows[0]["value_sealed"]
        tx.conn.execute(
            table.update().where(table.c.name == "A").values(value_sealed=rows[1]["value_sealed"])
        )
    with database.read() as conn, pytest.raises(SealError):
        list_secrets(conn, MASTER, app_id)


def test_deleting(database: Database) -> None:
    app_id = add_app(database).app_id
    put(database, secret("A", "x", app_id=app_id))
    with database.write() as tx:
        assert not delete_secret(tx.conn, app_id, "dev", "A")
        assert delete_secret(tx.conn, app_id, EVERY_BRANCH, "A")
    put(database, secret("A", "x", app_id=app_id))
    with database.write() as tx:
        delete_app(tx.conn, app_id)
        assert list_secrets(tx.conn, MASTER, app_id) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("A_1", "x", None),
        ("1A", "x", "letters, digits"),
        ("A=B", "x", "letters, digits"),
        ("AWS_KEY", "x", "reserved"),
        ("A", "", "empty"),
        ("A", "a\0b", "zero byte"),
        ("A", "x" * 70_000, "larger"),
    ],
)
def test_what_may_be_stored(name: str, value: str, told: str | None) -> None:
    found = problem_of(name, value)
    assert (told is None) is (found is None)
    assert told is None or told in str(found)
