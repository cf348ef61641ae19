"""Publish a folder: every file into the blob store, with twins, and the manifest that lists them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from preamp.model.custom_headers import CustomHeadersError, normalised, parse_custom_headers
from preamp.model.releases import Body, File, Manifest
from preamp.release.bundle import Bundle
from preamp.release.content_types import content_type, is_compressible
from preamp.release.errors import PublishError, too_large, too_many
from preamp.release.pack import pack
from preamp.release.twins import RECIPE, twins_of
from preamp.release.walk import Found, walk
from preamp.store.blobs import BlobStore
from preamp.store.manifests import write_manifest
from preamp.store.twins import TwinIndex


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The most that one release may hold."""

    max_bytes: int
    """Of all files together, without twins."""
    max_files: int
    max_compute_bytes: int = 220 * 1024 * 1024
    """Of the server of a bundle for server-side rendering; Amplify's own limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A release as stored; nothing serves it before a row names its manifest."""

    manifest: Manifest
    manifest_body: Body
    file_count: int
    total_bytes: int
    """Of the files, without twins. Of a release with a server: of its whole bundle."""
    twin_count: int
    twin_bytes: int


def publish(
    folder: Path,
    *,
    blobs: BlobStore,
    limits: Limits,
    bundle: Bundle | None = None,
    custom_headers: str | None = None,
    app_root: str | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Published:
    """Store the files below `folder` and their manifest; durable when it returns.

    With a `bundle`, which is that folder, its `static/` becomes the files, and its server one blob.
    `custom_headers` is the YAML of customHttp.yml or of the app, `app_root` chooses a monorepo's part of
    it. `tick` is called for each file and stops the work by raising. Blocking: call it in a thread.
    Raises PublishError for what the author can repair, OSError for trouble with the disk.
    """
    headers = _headers(custom_headers, app_root)
    found = _listed(folder, limits) if bundle is None else _static_files(bundle, limits)
    index = TwinIndex(blobs, recipe=RECIPE)
    files: dict[str, File] = {}
    done = 0
    for item in found:
        files[item.path] = _store(blobs, index, item)
        done += files[item.path].body.size
        if done > limits.max_bytes:
            raise too_large(done, limits.max_bytes)
        tick()
    server = bundle.manifest.server if bundle else None
    compute = None
    if server is not None:
        compute = pack(
            folder,
            server,
            blobs=blobs,
            max_bytes=limits.max_bytes,
            max_server_bytes=limits.max_compute_bytes,
            max_files=limits.max_files,
            tick=tick,
        )
    manifest = Manifest(
        files=files,
        custom_headers=headers,
        deploy_manifest=bundle.text if bundle else None,
        compute=compute,
    )
    body = write_manifest(blobs, manifest)
    blobs.sync()
    twins = [twin for file in files.values() for twin in file.encodings.values()]
    return Published(
        manifest=manifest,
        manifest_body=body,
        file_count=compute.file_count if compute else len(files),
        total_bytes=compute.total_bytes if compute else done,
        twin_count=len(twins),
        twin_bytes=sum(twin.size for twin in twins),
    )


def _headers(text: str | None, app_root: str | None) -> str | None:
    try:
        rules = parse_custom_headers(text or "", app_root=app_root)
    except CustomHeadersError as error:
        raise PublishError(f"the custom headers cannot be used: {error}") from error
    return normalised(rules) if rules else None


def _listed(folder: Path, limits: Limits) -> list[Found]:
    if not folder.is_dir():
        raise PublishError(f"the folder to publish, {folder.name}, does not exist")
    found = _bounded(walk(folder), limits)
    if not found:
        raise PublishError(f"the folder to publish, {folder.name}, holds no files")
    return found


def _static_files(bundle: Bundle, limits: Limits) -> list[Found]:
    return _bounded(walk(bundle.static, within=bundle.folder), limits) if bundle.static else []


def _bounded(items: Iterable[Found], limits: Limits) -> list[Found]:
    found: list[Found] = []
    total = 0
    for item in items:
        found.append(item)
        total += item.size
        if len(found) > limits.max_files:
            raise too_many(item.path, limits.max_files)
        if total > limits.max_bytes:
            raise too_large(total, limits.max_bytes)
    return found


def _store(blobs: BlobStore, index: TwinIndex, item: Found) -> File:
    try:
        blob = blobs.put_file(item.real)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOENT}:
            raise PublishError(f"{item.path} changed while it was published: run the job again") from error
        raise
    body = Body(blob=blob.name, size=blob.size)
    twins = twins_of(blobs, index, body) if is_compressible(item.path) else {}
    return File(body=body, content_type=content_type(item.path), encodings=twins)
