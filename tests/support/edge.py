"""A running edge for tests: a temporary store, releases published for real, HTTP over a raw socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop
from sqlalchemy import event

from preamp.edge.server import EdgeConfig, listen, serve
from preamp.model.apps import App, AppConfig, CustomRule, Platform
from preamp.model.branches import BranchConfig
from preamp.model.caller import Scope
from preamp.model.domains import DomainConfig
from preamp.model.hosting import AppHosting, BranchHosting
from preamp.model.ids import new_app_id, new_release_id
from preamp.model.releases import Release
from preamp.model.times import now_ms
from preamp.release.bundle import find_bundle
from preamp.release.publish import Limits, Published, publish
from preamp.store import apps, branches, changes, domains, hosting_options, releases
from preamp.store.blobs import LocalBlobs
from preamp.store.database import Database, open_sqlite
from preamp.store.tables import metadata

LIMITS = Limits(max_bytes=1 << 30, max_files=10_000)
RELEASED_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
SCOPE = Scope(account="000000000000", region="us-east-1")


class UnsyncedBlobs(LocalBlobs):
    """Tests do not survive power cuts."""

    def sync(self) -> None:
        pass


def _careless(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")  # tests do not survive power cuts


class World:
    """A data folder with a database and blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database_path = folder / "preamp.db"
        self.database = open_sqlite(self.database_path)
        event.listen(self.database.engine, "connect", _careless)
        metadata.create_all(self.database.engine)
        self.blobs = UnsyncedBlobs(folder / "blobs")

    @classmethod
    def on(cls, database: Database, folder: Path, blobs: Path) -> World:
        """In a data folder that is open already."""
        world = cls.__new__(cls)
        world.folder = folder
        world.database = database
        world.blobs = UnsyncedBlobs(blobs)
        return world

    def app(self, *, app_id: str | None = None, **config) -> str:
        app_id = app_id or new_app_id()
        value = AppConfig(name=app_id, **config)
        with self.database.write() as tx:
            apps.insert_app(
                tx.conn, App(app_id=app_id, scope=SCOPE, config=value, created_ms=0, updated_ms=0)
            )
            changes.record(tx, app_id, now=now_ms())
        return app_id

    def change_app(self, app_id: str, **config) -> None:
        with self.database.write() as tx:
            app = apps.get_app(tx.conn, SCOPE, app_id)
            assert app is not None
            apps.update_app(tx.conn, app_id, replace(app.config, **config), now=now_ms())
            changes.record(tx, app_id, now=now_ms())

    def app_hosting(self, app_id: str, **options) -> None:
        with self.database.write() as tx:
            hosting_options.set_app_hosting(tx.conn, app_id, AppHosting(**options))
            changes.record(tx, app_id, now=now_ms())

    def branch_hosting(self, app_id: str, name: str = "main", **options) -> None:
        with self.database.write() as tx:
            hosting_options.set_branch_hosting(tx.conn, app_id, name, BranchHosting(**options))
            changes.record(tx, app_id, now=now_ms())

    def domain(self, app_id: str, branch_id: int, host: str) -> int:
        """A custom host, or a wildcard, that is verified."""
        prefix, _, name = host.partition(".")
        with self.database.write() as tx:
            domain = domains.get_domain(tx.conn, app_id, name)
            domain_id = (
                domain.domain_id
                if domain
                else domains.insert_domain(tx.conn, app_id=app_id, name=name, config=DomainConfig(), now=0)
            )
            new = domains.NewSubDomain(prefix=prefix, host=host, branch_id=branch_id, claimed=True)
            domains.add_subdomain(tx.conn, domain_id, new, now=0)
            assert domains.verify(tx.conn, domain_id, host, now=1)
            changes.record(tx, app_id, now=now_ms())
        return domain_id

    def branch(self, app_id: str, name: str = "main", **config) -> int:
        with self.database.write() as tx:
            branch = branches.insert_branch(
                tx.conn,
                app_id=app_id,
                name=name,
                label=name,
                config=BranchConfig(**config),
                tags={},
                now=0,
            )
            changes.record(tx, app_id, now=now_ms())
        return branch.branch_id

    def published(
        self,
        files: Mapping[str, bytes],
        headers: str | None = None,
        app_root: str | None = None,
        *,
        deploy_manifest: Mapping[str, object] | None = None,
    ) -> Published:
        """With a manifest: as a bundle whose static/ are the files."""
        if deploy_manifest is not None:
            files = {f"static/{path}": data for path, data in files.items()}
            files["deploy-manifest.json"] = json.dumps(deploy_manifest).encode()
            files["compute/default/index.js"] = b""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            for path, data in files.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            bundle = None
            if deploy_manifest is not None:
                (folder / "static").mkdir(exist_ok=True)
                bundle = find_bundle(folder, platform=Platform.WEB_COMPUTE, warn=lambda _: None)
            return publish(
                folder,
                blobs=self.blobs,
                limits=LIMITS,
                bundle=bundle,
                custom_headers=headers,
                app_root=app_root,
            )

    def release(
        self,
        app_id: str,
        branch_id: int,
        job: int,
        files: Mapping[str, bytes] | Published,
        headers: str | None = None,
        *,
        created_ms: int = RELEASED_MS,
    ) -> Published:
        done = files if isinstance(files, Published) else self.published(files, headers)
        release = Release(
            release_id=new_release_id(),
            branch_id=branch_id,
            job=job,
            manifest=done.manifest_body,
            file_count=done.file_count,
            total_bytes=done.total_bytes,
            created_ms=created_ms,
        )
        with self.database.write() as tx:
            releases.insert_release(tx.conn, release)
            assert branches.advance(tx.conn, branch_id, job=job, release_id=release.release_id)
            changes.record(tx, app_id, now=now_ms())
        return done

    def site(
        self,
        files: Mapping[str, bytes],
        *,
        rules: Sequence[CustomRule] = (),
        headers: str | None = None,
        app_id: str | None = None,
    ) -> str:
        """An app with one released branch `main`; returns its host."""
        app_id = self.app(app_id=app_id, custom_rules=tuple(rules))
        branch_id = self.branch(app_id)
        if files:
            self.release(app_id, branch_id, 1, files, headers)
        return f"main.{app_id}.localhost"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes


class Client:
    """One connection, and no more cleverness than needed to read an answer."""

    def __init__(self, port: int, *, address: str = "127.0.0.1") -> None:
        """address: of this side."""
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0))
        self.file = self.sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, *, head: bool = False) -> Reply:
        raw = b""
        while not raw.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            if not line:
                raise ConnectionError(f"closed after {raw!r}")
            raw += line
        start, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name not in headers, f"the header {name} came twice"
            headers[name] = value
        status = int(start.split(" ")[1])
        body = b""
        if not head and status not in {204, 304}:
            length = int(headers["content-length"])
            body = self.file.read(length)
            assert len(body) == length, "the body was cut"
        return Reply(status, headers, body, raw + body)

    def get(self, host: str, target: str = "/", *headers: str, method: str = "GET") -> Reply:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return self.read(head=method == "HEAD")

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


@dataclass(frozen=True)
class Edge:
    world: World
    port: int

    def client(self, *, address: str = "127.0.0.1") -> Client:
        return Client(self.port, address=address)

    def get(self, host: str, target: str = "/", *headers: str, method: str = "GET") -> Reply:
        with self.client() as client:
            return client.get(host, target, *headers, method=method)


@contextlib.contextmanager
def running_edge(world: World, *, memory_bytes: int = 32 << 20, **config) -> Iterator[Edge]:
    """`serve` in a thread of its own; `memory_bytes=0` leaves the fast lane without memory."""
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    database = open_sqlite(config.pop("database", world.database_path), read_only=True)
    value = EdgeConfig(
        database=database,
        blobs=LocalBlobs(world.folder / "blobs"),
        changes=database.bell,
        site_domain="localhost:7780",
        memory_bytes=memory_bytes,
        drain_seconds=2,
        images=world.folder / "optimised",
        **config,
    )
    ready = threading.Event()
    handle: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    failures: list[BaseException] = []

    async def main() -> None:
        stop = asyncio.Event()
        handle.append((asyncio.get_running_loop(), stop))
        await serve(value, [sock], stop, ready=ready.set)

    def run() -> None:
        try:
            uvloop.run(main())  # as in production
        except BaseException as error:  # noqa: BLE001 (raised again below)
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        yield Edge(world, port)
    finally:
        loop, stop = handle[0]
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        sock.close()
        world.database.close()
    if failures:
        raise failures[0]
