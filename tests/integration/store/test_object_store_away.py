"""The object store refuses, and comes back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.model.errors import DependentServiceFailure
from preamp.model.jobs import Attempt, StepName
from preamp.settings import Settings
from preamp.store import objects
from preamp.store.stores import open_stores
from tests.integration.store.conftest import remote_settings
from tests.support.postgres import Postgres
from tests.support.swift import Swift

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
def service() -> Iterator[Swift]:
    server = Swift()
    server.create()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def settings(tmp_path: Path, postgres: Postgres, service: Swift, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(objects, "RETRY_SECONDS", 1)
    (tmp_path / "logs").mkdir()
    return remote_settings(tmp_path, postgres, service, secrets.token_hex(4))


def test_blobs_say_that_it_is_away_and_logs_wait_for_it(settings: Settings, service: Swift) -> None:
    stores = open_stores(settings)
    attempt = Attempt(branch_id=1, number=1, attempt=1)
    service.refuse()
    blob = stores.blobs.put_bytes(b"kept")
    with pytest.raises(DependentServiceFailure, match="object store"):
        stores.blobs.sync()
    with pytest.raises(DependentServiceFailure):
        stores.blobs.sizes([blob.name])
    writer = stores.logs.writer(attempt, StepName.BUILD)
    writer.write(b"while it is away\n")
    writer.close()
    assert not stores.logs.settle(attempt, seconds=0.2)
    service.start()
    assert stores.logs.settle(attempt, seconds=60)
    reader = stores.logs.reader(attempt, StepName.BUILD)
    assert reader.read(0, 100) == b"while it is away\n"
    assert stores.blobs.put_bytes(b"kept") == blob
    stores.blobs.sync()
    assert stores.blobs.sizes([blob.name]) == {blob.name: 4}
    stores.close()


def test_a_bucket_that_does_not_exist_is_named_as_the_reason(settings: Settings) -> None:
    stores = open_stores(settings.model_copy(update={"blobs": "s3://nowhere/x"}))
    stores.blobs.put_bytes(b"x")
    with pytest.raises(DependentServiceFailure, match="bucket"):
        stores.blobs.sync()
    stores.close()
