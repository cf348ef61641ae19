"""Collecting garbage of the distributed form, in a real S3 service."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from preamp.engine.collect import collect_garbage
from preamp.model.jobs import Attempt, StepName
from preamp.model.times import now_ms
from preamp.store.objects import open_objects
from preamp.store.stores import open_stores
from tests.integration.store.conftest import remote_settings
from tests.support.deployers import Deployers
from tests.support.postgres import Postgres
from tests.support.rows import add_app, add_branch, new_database
from tests.support.swift import Swift

DAY_MS = 24 * 3600 * 1000

pytestmark = pytest.mark.needs("postgres")


def test_a_blob_that_is_put_again_while_it_is_collected_is_never_lost(
    tmp_path: Path, postgres: Postgres, swift: Swift
) -> None:
    settings = remote_settings(tmp_path, postgres, swift, secrets.token_hex(4))
    deployers = Deployers(open_objects(settings), tmp_path)
    deployers.run(removals=6)
    assert deployers.lost == []
    assert deployers.removed >= 6


def test_blobs_and_logs_that_nothing_refers_to_go_in_their_time(
    tmp_path: Path, postgres: Postgres, swift: Swift
) -> None:
    url = postgres.url(postgres.new_database())
    database = new_database(tmp_path, url)
    branch = add_branch(database, add_app(database))
    database.close()
    settings = remote_settings(tmp_path, postgres, swift, secrets.token_hex(4))
    for name in ("blobs", "logs"):
        (tmp_path / name).mkdir(exist_ok=True)
    stores = open_stores(settings.model_copy(update={"database": url}))
    blob = stores.blobs.put_bytes(b"nobody refers to this")
    stores.blobs.sync()
    gone = Attempt(branch_id=branch.branch_id, number=7, attempt=1)
    log = stores.logs.writer(gone, StepName.BUILD)
    log.write(b"text")
    log.close()
    assert stores.logs.settle(gone, seconds=30)
    assert stores.logs.sizes() == {(branch.branch_id, 7): 4}

    def collect(*, days: int) -> tuple[list[str], int]:
        found = collect_garbage(stores, settings, now=now_ms() + days * DAY_MS)
        return [item.name for item in found.blobs.blobs], len(found.logs)

    assert collect(days=0) == ([], 1)
    assert stores.logs.sizes() == {}
    assert stores.blobs.exists(blob.name)
    assert collect(days=2) == ([], 0)
    assert not stores.blobs.exists(blob.name)  # condemned, but not gone
    assert stores.blobs.sizes([blob.name]) == {blob.name: blob.size}
    assert collect(days=2) == ([blob.name], 0)
    assert stores.blobs.sizes([blob.name]) == {}
    stores.close()
