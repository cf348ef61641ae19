"""A manual deployment's way: a zip is unpacked, published, verified and served."""

from __future__ import annotations

import zipfile
from pathlib import Path

from preamp.release.publish import publish
from preamp.release.unpack import unpack
from preamp.release.verify import verify
from tests.support.edge import LIMITS, World, running_edge


def test_a_zip_becomes_a_site(tmp_path: Path) -> None:
    world = World(tmp_path)
    archive, folder = tmp_path / "site.zip", tmp_path / "unpacked"
    folder.mkdir()
    files = {"index.html": b"home", "über uns.html": b"about", "assets/app.js": b"let words = 1;" * 500}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)

    done = unpack(archive, folder, limits=LIMITS)
    release = publish(folder, blobs=world.blobs, limits=LIMITS)
    assert (done.file_count, done.total_bytes) == (release.file_count, release.total_bytes)
    assert verify(world.blobs, release.manifest) == []

    app = world.app()
    world.release(app, world.branch(app), 1, release)
    host = f"main.{app}.localhost"
    with running_edge(world) as edge:
        assert edge.get(host).body == b"home"
        assert edge.get(host, "/%C3%BCber%20uns").body == b"about"
        packed = edge.get(host, "/assets/app.js", "Accept-Encoding: gzip")
        assert packed.headers["content-encoding"] == "gzip"
        assert len(packed.body) < len(files["assets/app.js"])
