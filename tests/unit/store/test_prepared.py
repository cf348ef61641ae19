from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select

from preamp.store.database import Database
from preamp.store.prepared import Prepared
from preamp.store.tables import apps, keys
from tests.support.rows import add_app, new_database

NAMES = Prepared(
    select(apps.c.app_id, apps.c.seq)
    .where(apps.c.account == bindparam("account"))
    .order_by(apps.c.seq)
    .limit(bindparam("most"))
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    it = new_database(tmp_path)
    yield it
    it.close()


def test_rows_are_those_of_sqlalchemy(database: Database) -> None:
    made = [add_app(database).app_id for _ in range(3)]
    account = add_app(database).scope.account
    with database.read() as conn:
        assert [row[0] for row in NAMES.all(conn, account=account, most=3)] == made
        first = NAMES.first(conn, account=account, most=1)
        assert first is not None
        assert tuple(first) == (made[0], 1)
        assert NAMES.first(conn, account="nobody", most=1) is None


def test_all_of_a_read_see_one_snapshot(database: Database) -> None:
    account = add_app(database).scope.account
    with database.read() as conn:
        before = len(NAMES.all(conn, account=account, most=9))
        add_app(database)
        assert len(NAMES.all(conn, account=account, most=9)) == before == 1
    with database.read() as conn:
        assert len(NAMES.all(conn, account=account, most=9)) == 2


def test_what_a_transaction_wrote_it_reads(database: Database) -> None:
    account = add_app(database).scope.account
    with database.write() as tx:
        tx.conn.execute(apps.delete())
        assert NAMES.first(tx.conn, account=account, most=1) is None


def test_values_that_need_converting_are_refused() -> None:
    with pytest.raises(TypeError, match="enabled is neither a number nor a text"):
        Prepared(select(keys.c.enabled))


def test_readers_of_many_threads_do_not_share_a_connection(database: Database) -> None:
    account = add_app(database).scope.account
    inside = threading.Barrier(3, timeout=30)
    seen: list[int] = []

    def read() -> None:
        for _ in range(5):
            with database.read() as conn:
                NAMES.all(conn, account=account, most=1)
                inside.wait()
                seen.append(id(conn.connection.dbapi_connection))
                inside.wait()

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(set(seen[at : at + 3])) == 3 for at in range(0, 15, 3))
    # All but one were given back, so that writers find some.
    assert database.engine.pool.checkedout() == 1  # type: ignore[attr-defined]
