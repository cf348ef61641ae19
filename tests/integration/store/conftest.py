"""What is kept, in both forms: in a folder, and in PostgreSQL and S3."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.settings import Settings
from preamp.store.stores import Stores, open_stores
from tests.support.postgres import Postgres
from tests.support.swift import SECRET, USER, Swift

BUCKET = "preamp"


def remote_settings(data: Path, postgres: Postgres, swift: Swift, prefix: str) -> Settings:
    if BUCKET not in {bucket["Name"] for bucket in swift.client().list_buckets()["Buckets"]}:
        swift.new_bucket(BUCKET)
    return Settings(
        data=data,
        database=postgres.url("postgres"),
        blobs=f"s3://{BUCKET}/{prefix}",
        blobs_endpoint=swift.url,
        blobs_access_key_id=USER,
        blobs_secret_access_key=SECRET,
    )


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.needs("postgres"))])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Each test runs on both."""
    for name in ("blobs", "logs"):
        (tmp_path / name).mkdir()
    if request.param == "folder":
        return Settings(data=tmp_path)
    return remote_settings(
        tmp_path,
        request.getfixturevalue("postgres"),
        request.getfixturevalue("swift"),
        secrets.token_hex(4),
    )


@pytest.fixture
def stores(settings: Settings) -> Iterator[Stores]:
    found = open_stores(settings)
    yield found
    found.close()


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Iterator[Stores]:
    """The same, as another process sees it; in the distributed form, on another machine."""
    data = tmp_path
    if settings.blobs is not None:
        data = tmp_path / "elsewhere"
        (data / "logs").mkdir(parents=True)
    found = open_stores(settings.model_copy(update={"data": data}))
    yield found
    found.close()
