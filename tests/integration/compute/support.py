"""Releases with small Node servers, and a compute host that runs them."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import zstandard

from preamp.compute import places
from preamp.compute.client import ComputeClient
from preamp.compute.door import Door
from preamp.compute.host import Host
from preamp.compute.machinery import open_machinery
from preamp.compute.messages import CONTROL_SOCKET
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.compute import Compute
from preamp.model.hosting import BranchHosting
from preamp.model.ids import new_release_id
from preamp.model.releases import Body, Manifest, Release
from preamp.model.times import now_ms
from preamp.settings import Settings
from preamp.store import branches, changes, hosting_options
from preamp.store.blobs import LocalBlobs
from preamp.store.folder import DataFolder
from preamp.store.manifests import write_manifest
from preamp.store.releases import insert_release
from tests.support.rows import add_app, add_branch, new_database

ECHO = """
const http = require("node:http");
http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://site");
  const act = acts[url.pathname];
  if (act) return act(url.searchParams, response, request);
  response.end("NAME " + process.env.AWS_JOB_ID);
}).listen(3000);
const acts = {
  "/env": (_, response) => response.end(JSON.stringify(process.env)),
  "/exit": () => process.exit(3),
  "/slow": (query, response) => {
    response.write("begun");
    setTimeout(() => response.end(" done"), Number(query.get("ms")));
  },
};
"""
"""Answers with the number of its job, and does what its paths say."""


class Site:
    """A data folder with an app, a branch and releases of it."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.make()
        self.database = new_database(root)
        self.blobs = LocalBlobs(self.folder.blobs)
        self.app: App = add_app(self.database, environment_variables={"GREETING": "hello", "BOTH": "app"})
        self.branch: Branch = add_branch(self.database, self.app, environment_variables={"BOTH": "branch"})
        self._jobs = 0

    def release(self, server: str | Mapping[str, str], *, serve: bool = True, **compute: str) -> str:
        """A release with a server, and the switch to it; its id. server: the text of index.cjs, or files."""
        files = {"index.cjs": server} if isinstance(server, str) else server
        packed = {f"compute/default/{name}": text.encode() for name, text in files.items()}
        packed["deploy-manifest.json"] = b"{}"
        blob = self.blobs.put_bytes(pack(packed))
        self._jobs += 1
        manifest = Manifest(
            compute=Compute(
                archive=Body(blob=blob.name, size=blob.size),
                name="default",
                entrypoint=compute.get("entrypoint", next(iter(files))),
                runtime=compute.get("runtime", "nodejs20.x"),
                total_bytes=sum(map(len, packed.values())),
                file_count=len(packed),
            )
        )
        release = Release(
            release_id=new_release_id(),
            branch_id=self.branch.branch_id,
            job=self._jobs,
            manifest=write_manifest(self.blobs, manifest),
            file_count=0,
            total_bytes=0,
            created_ms=now_ms(),
        )
        with self.database.write() as tx:
            insert_release(tx.conn, release)
        if serve:
            self.serve(release.release_id, self._jobs)
        return release.release_id

    def serve(self, release_id: str, job: int) -> None:
        """The switch."""
        with self.database.write() as tx:
            branches.switch(tx.conn, self.branch.branch_id, job=job, release_id=release_id)
            changes.record(tx, self.app.app_id, now=now_ms())

    def options(self, options: BranchHosting) -> None:
        with self.database.write() as tx:
            hosting_options.set_branch_hosting(tx.conn, self.app.app_id, self.branch.name, options)
            changes.record(tx, self.app.app_id, now=now_ms())

    def log(self, job: int = 1) -> str:
        file = self.folder.compute / "logs" / str(self.branch.branch_id) / f"{job}.log"
        return file.read_text() if file.exists() else ""

    def close(self) -> None:
        self.database.close()
        self.blobs.close()


@contextmanager
def new_site() -> Iterator[Site]:
    """In a folder that servers may enter as root's tests run them with users of their own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="preamp-compute-") as name:
        Path(name).chmod(0o711)
        site = Site(Path(name) / "data")
        try:
            yield site
        finally:
            site.close()
            for base in places.SHARED.glob("*"):
                with suppress(FileNotFoundError):
                    if (base / "data-folder").read_text() == str(site.folder.root):
                        shutil.rmtree(base)


class Running:
    """A host in this process, and an edge's client of it."""

    def __init__(self, site: Site, host: Host, client: ComputeClient) -> None:
        self.site = site
        self.host = host
        self.client = client

    async def get(self, release_id: str, target: str = "/") -> str:
        """The body of a server's answer."""
        async with self.client.use(release_id) as path:
            return await get(path, target)

    def pids(self) -> list[int]:
        """Of the sandboxes that run."""
        found = [server.instance for server in self.host.running]
        return [instance.pid for instance in found if instance is not None]


@asynccontextmanager
async def running(site: Site, **settings: Any) -> AsyncIterator[Running]:
    """A compute host on the site's data folder."""
    values = {"data": site.folder.root, "drain_seconds": 1.0, **settings}
    machinery = await open_with_door(Settings(**values))
    client = ComputeClient(site.folder.run / CONTROL_SOCKET)
    try:
        yield Running(site, machinery[0].host, client)
    finally:
        await client.close()
        await machinery[0].close()
        await machinery[1].close()


async def open_with_door(settings: Settings) -> tuple[Any, Door]:
    opened: list[Any] = []

    async def host() -> Host:
        found: Host = opened[0].host
        return found

    door = Door(host)
    opened.append(await open_machinery(settings, door, asyncio.Event()))
    await door.open(DataFolder(settings.data).run / CONTROL_SOCKET)
    return opened[0], door


async def get(path: Path, target: str = "/") -> str:
    """An answer's body; raises ConnectionError when it is cut."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(f"GET {target} HTTP/1.0\r\nHost: site\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"answered {head[:80]!r}")
    return body.decode()


async def until(check: Any, what: str) -> None:
    """Wait until `check()` holds."""
    for _ in range(1000):
        if check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"waited for {what}")


def pack(files: Mapping[str, bytes]) -> bytes:
    """As publishing does it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o644
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return zstandard.ZstdCompressor().compress(buffer.getvalue())


def parsed(text: str) -> Any:
    return json.loads(text)
