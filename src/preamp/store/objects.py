"""The object space of a deployment on many machines: one bucket and prefix of an S3-compatible service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from preamp.model.errors import DependentServiceFailure
from preamp.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

ObjectStore: TypeAlias = S3Store
PART = 8 * 1024 * 1024
"""Bytes of a part; what is larger is sent in several at once."""
PARTS_AT_ONCE = 4
CONNECT_SECONDS = 5
REQUEST_SECONDS = 60
"""Without progress; a large blob is sent and fetched in several requests."""
RETRY_SECONDS = 20
"""How long a request is tried again while the service refuses or is away."""
NO_BUCKET = "The bucket of the setting `blobs` does not exist."


def open_objects(settings: Settings) -> ObjectStore:
    """`settings.blobs` is set. Connects when it is first used."""
    assert settings.blobs is not None
    bucket, _, prefix = settings.blobs.removeprefix("s3://").partition("/")
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=REQUEST_SECONDS),
    }
    config: S3Config = {"region": settings.blobs_region}
    if settings.blobs_endpoint is not None:
        config["endpoint"] = settings.blobs_endpoint.rstrip("/")
        config["virtual_hosted_style_request"] = False
        options["allow_http"] = settings.blobs_endpoint.startswith("http://")
    if settings.blobs_access_key_id is not None and settings.blobs_secret_access_key is not None:
        config["access_key_id"] = settings.blobs_access_key_id
        config["secret_access_key"] = settings.blobs_secret_access_key
    return S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        config=config,
        client_options=options,
        retry_config={
            "max_retries": 100,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=2),
                "base": 2,
            },
        },
    )


@contextmanager
def wrapped(what: str) -> Iterator[None]:
    """Errors of the service as ours; FileNotFoundError stays."""
    try:
        yield
    except BaseError as error:
        if "NoSuchBucket" in str(error):
            raise DependentServiceFailure(NO_BUCKET) from error
        text = f"The object store does not take or give {what}: {str(error).strip().splitlines()[0]}"
        raise DependentServiceFailure(text[:255]) from error


def put(store: ObjectStore, key: str, data: bytes | Path) -> None:
    """Bytes, or those of a file; large files in several parts at once. Raises DependentServiceFailure, and
    FileNotFoundError only for the file."""
    size = len(data) if isinstance(data, bytes) else data.stat().st_size
    with wrapped(key):
        try:
            obstore.put(
                store,
                key,
                data,
                use_multipart=size > PART,
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )
        except FileNotFoundError as error:
            if isinstance(data, bytes) or data.exists():
                raise DependentServiceFailure(NO_BUCKET) from error
            raise
