"""Read a zip or everything under a prefix from S3, or from what speaks like it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from preamp.model.sources import BucketSource
from preamp.settings import Settings
from preamp.worker.saving import Guard, Room, SourceError, save

AT_ONCE = 8
TIMEOUT_SECONDS = 20
LONGEST_NAME = 255
_CLASH = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
# What a session would otherwise take from AWS's variables and files: those of the server's operator.
_IGNORED = ("profile", "region", "data_path", "config_file", "credentials_file", "ca_bundle")


def fetch_object(source: BucketSource, target: Path, *, room: Room, settings: Settings, guard: Guard) -> int:
    """Save one object; how many bytes it had. Blocking. Raises SourceError."""
    with _told(source.shown):
        return _save(_client(settings), source, source.key, target, room=room, guard=guard)


def fetch_prefix(source: BucketSource, folder: Path, *, settings: Settings, guard: Guard) -> int:
    """Save every object under the prefix, by the rest of its key; how many there were. Blocking.

    Raises SourceError, also for keys that are no paths of files.
    """
    room = Room(
        max_bytes=settings.max_release_bytes,
        setting="max_release_bytes",
        min_free_bytes=settings.min_free_bytes,
    )
    with _told(source.shown):
        client = _client(settings)
        found = _listed(client, source, settings, guard)

        def one(item: _Object) -> None:
            try:
                _save(client, source, item.key, folder / item.path, room=room, guard=guard)
            except OSError as error:
                if error.errno not in _CLASH:
                    raise
                raise SourceError(
                    f"{source.shown} has {item.path!r} both as a file and as a folder."
                ) from error

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as threads:
            try:
                for _ in threads.map(one, found):
                    guard.check()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
    return len(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Object:
    key: str
    path: str
    """In the site."""


def _listed(client: Any, source: BucketSource, settings: Settings, guard: Guard) -> list[_Object]:
    found: list[_Object] = []
    total = 0
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.key)
    for page in pages:
        guard.check()
        for entry in page.get("Contents", ()):
            path = entry["Key"].removeprefix(source.key)
            if not path or path.endswith("/"):
                continue  # what consoles make to show an empty folder
            _check_path(source, path)
            found.append(_Object(key=entry["Key"], path=path))
            total += entry["Size"]
        if len(found) > settings.max_release_files:
            raise SourceError(
                f"{source.shown} has more than {settings.max_release_files} files "
                "(the setting max_release_files)."
            )
        if total > settings.max_release_bytes:
            raise SourceError(
                f"{source.shown} has more than {settings.max_release_bytes} bytes "
                "(the setting max_release_bytes)."
            )
    if not found:
        raise SourceError(f"{source.shown} holds no files.")
    return found


def _check_path(source: BucketSource, path: str) -> None:
    parts = path.split("/")
    if any(
        part in {"", ".", ".."} or "\0" in part or len(os.fsencode(part)) > LONGEST_NAME for part in parts
    ):
        raise SourceError(f"{source.shown} has the key {path[:150]!r}, which is no path of a file.")


def _save(client: Any, source: BucketSource, key: str, target: Path, *, room: Room, guard: Guard) -> int:
    guard.check()
    answer = client.get_object(Bucket=source.bucket, Key=key)
    body = answer["Body"]
    try:
        shown = f"s3://{source.bucket}/{key}"
        return save(body, target, shown=shown, length=answer.get("ContentLength"), room=room, guard=guard)
    finally:
        body.close()


def _client(settings: Settings) -> Any:
    """With the settings' endpoint and keys and nothing else. Raises SourceError when there are none."""
    if not settings.s3_ready:
        raise SourceError("s3:// sources need the settings s3_endpoint, or s3_access_key_id and its secret.")
    session = botocore.session.Session(
        session_vars={
            name: (None, None, os.devnull if name.endswith("_file") else None, None) for name in _IGNORED
        }
    )
    signed = settings.s3_access_key_id is not None
    return session.create_client(
        "s3",
        region_name=settings.s3_region,
        endpoint_url=settings.s3_endpoint,
        # Without keys anything goes, as long as botocore looks for none itself.
        aws_access_key_id=settings.s3_access_key_id or "unsigned",
        aws_secret_access_key=settings.s3_secret_access_key or "unsigned",
        config=Config(
            signature_version="s3v4" if signed else UNSIGNED,
            # Other servers than Amazon's have no name for each bucket.
            s3={"addressing_style": "auto" if settings.s3_endpoint is None else "path"},
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"total_max_attempts": 3, "mode": "standard"},
            max_pool_connections=AT_ONCE,
            ignore_configured_endpoint_urls=True,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            user_agent_extra="preamp",
        ),
    )


@contextmanager
def _told(shown: str) -> Iterator[None]:
    """Failures of the service and the network as SourceError."""
    try:
        yield
    except ClientError as error:
        found = error.response.get("Error", {})
        text = ": ".join(filter(None, (found.get("Code"), found.get("Message"))))
        raise SourceError(f"{shown} cannot be read: {text}.") from error
    except BotoCoreError as error:
        raise SourceError(f"{shown} cannot be read: {error}.") from error
