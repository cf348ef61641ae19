from __future__ import annotations

import asyncio
import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from preamp.model.releases import Body, File, Manifest
from preamp.store.blobs import LocalBlobs
from preamp.worker.page_server import PageServer

TOKEN = "the-token"
FILES = {"index.html": b"home", "about.html": b"about", "notes/index.html": b"notes", "a b.js": b"script"}


@pytest.fixture
def manifest(tmp_path: Path) -> tuple[Manifest, LocalBlobs]:
    blobs = LocalBlobs(tmp_path)
    files = {}
    for path, data in FILES.items():
        blob = blobs.put_bytes(data)
        files[path] = File(body=Body(blob=blob.name, size=blob.size), content_type="text/x-test")
    return Manifest(files=files), blobs


def ask(
    manifest: tuple[Manifest, LocalBlobs], path: str, agent: str = f"Browser {TOKEN}"
) -> tuple[int, bytes]:
    def get(url: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", path, headers={"User-Agent": agent})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    async def asked() -> tuple[int, bytes]:
        async with PageServer(*manifest, token=TOKEN) as url:
            return await asyncio.to_thread(get, url)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", (200, b"home")),
        ("/index.html?x=1", (200, b"home")),
        ("/about", (200, b"about")),
        ("/notes/", (200, b"notes")),
        ("/a%20b.js", (200, b"script")),
        ("/none", (404, b"")),
        ("/../../etc/passwd", (404, b"")),
    ],
)
def test_files(manifest: tuple[Manifest, LocalBlobs], path: str, found: tuple[int, bytes]) -> None:
    assert ask(manifest, path) == found


def test_nobody_else_sees_the_page(manifest: tuple[Manifest, LocalBlobs]) -> None:
    assert ask(manifest, "/", agent="curl") == (403, b"")
