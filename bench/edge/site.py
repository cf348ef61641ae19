"""The site that all servers serve, published for Preamp and as plain files for the others."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from preamp.edge.conditional import etag
from preamp.model.apps import App, AppConfig, CustomRule
from preamp.model.branches import BranchConfig
from preamp.model.caller import Scope
from preamp.model.ids import new_release_id
from preamp.model.releases import Encoding, Manifest, Release
from preamp.release.publish import Limits, publish
from preamp.store import apps, branches, releases
from preamp.store.blobs import LocalBlobs
from preamp.store.database import open_sqlite
from preamp.store.tables import metadata

APP_ID = "dbench"
HOST = f"main.{APP_ID}.localhost"
RULES = 10_000


@dataclass(frozen=True)
class Site:
    data: Path
    """Preamp's data folder."""
    files: Path
    """The same files for the others, with `.gz` and `.br` twins beside them."""
    manifest: Manifest

    def etag(self, path: str) -> str:
        return etag(self.manifest.files[path].body)


def make_site(folder: Path, more_rules: tuple[CustomRule, ...] = ()) -> Site:
    noise = random.Random(7)
    files = folder / "files"
    files.mkdir()
    (files / "1k.bin").write_bytes(noise.randbytes(1024))
    (files / "50k.bin").write_bytes(noise.randbytes(50 * 1024))
    (files / "1m.bin").write_bytes(noise.randbytes(1024 * 1024))
    words = [f"word{n}" for n in range(500)]
    (files / "app.js").write_text(" ".join(noise.choice(words) for _ in range(8000)))
    (files / "404.html").write_text("<h1>not found</h1>" * 10)

    data = folder / "data"
    data.mkdir()
    blobs = LocalBlobs(data / "blobs")
    done = publish(files, blobs=blobs, limits=Limits(max_bytes=1 << 30, max_files=100))
    twin = done.manifest.files["app.js"].encodings[Encoding.GZIP]
    (files / "app.js.gz").write_bytes(blobs.read(twin.blob))
    twin = done.manifest.files["app.js"].encodings[Encoding.BROTLI]
    (files / "app.js.br").write_bytes(blobs.read(twin.blob))

    database = open_sqlite(data / "preamp.db")
    metadata.create_all(database.engine)
    rules = tuple(CustomRule(source=f"/old/{n}", target=f"/new/{n}", status="301") for n in range(RULES))
    rules += more_rules
    with database.write() as tx:
        app = App(
            app_id=APP_ID,
            scope=Scope(account="000000000000", region="us-east-1"),
            config=AppConfig(name="bench", custom_rules=rules),
            created_ms=0,
            updated_ms=0,
        )
        apps.insert_app(tx.conn, app)
        branch = branches.insert_branch(
            tx.conn, app_id=APP_ID, name="main", label="main", config=BranchConfig(), tags={}, now=0
        )
        release = Release(
            release_id=new_release_id(),
            branch_id=branch.branch_id,
            job=1,
            manifest=done.manifest_body,
            file_count=done.file_count,
            total_bytes=done.total_bytes,
            created_ms=1_700_000_000_000,
        )
        releases.insert_release(tx.conn, release)
        branches.advance(tx.conn, branch.branch_id, job=1, release_id=release.release_id)
    database.close()
    return Site(data=data, files=files, manifest=done.manifest)
