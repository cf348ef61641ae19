"""Image optimisation as a visitor has it: a bundle with a Node server, deployed to a real `preamp serve`."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import urllib.request
import zipfile
from pathlib import Path

import pytest
import pyvips

from tests.support.images import jpeg, photo, png, quarters
from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.processes import command_lines, parent_of, processes_of

pytestmark = [pytest.mark.needs("bwrap", "node")]

SERVER = """
const picture = Buffer.from(require('fs').readFileSync(__dirname + '/made.png'));
require('http').createServer((request, response) => {
  if (request.url === '/made.png?by=server') return response.end(picture);
  response.statusCode = request.url === '/' ? 200 : 404;
  response.end('a page');
}).listen(3000);
"""
MANIFEST = {
    "version": 1,
    "framework": {"name": "own", "version": "1.0.0"},
    "routes": [
        {"path": "/_amplify/image", "target": {"kind": "ImageOptimization"}},
        {"path": "/*.*", "target": {"kind": "Static"}, "fallback": {"kind": "Compute", "src": "default"}},
        {"path": "/*", "target": {"kind": "Compute", "src": "default"}},
    ],
    "computeResources": [{"name": "default", "runtime": "nodejs22.x", "entrypoint": "index.js"}],
    "imageSettings": {
        "sizes": [100, 640],
        "domains": ["localhost", "127.0.0.1"],
        "remotePatterns": [],
        "formats": ["image/avif", "image/webp"],
        "minumumCacheTTL": 3600,
        "dangerouslyAllowSVG": False,
    },
}


def bundle() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deploy-manifest.json", json.dumps(MANIFEST))
        archive.writestr("static/photo.jpg", jpeg(photo(1200, 800)))
        archive.writestr("compute/default/index.js", SERVER)
        archive.writestr("compute/default/made.png", png(quarters()))
    return packed.getvalue()


def test_images_of_a_site(tmp_path):
    with running(tmp_path / "data", "--edge-processes", "1") as preamp:
        client = preamp.client()
        app = client.create_app(name="images", platform="WEB_COMPUTE")["app"]["appId"]
        client.create_branch(appId=app, branchName="main")
        created = client.create_deployment(appId=app, branchName="main")
        request = urllib.request.Request(created["zipUploadUrl"], data=bundle(), method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        client.start_deployment(appId=app, branchName="main", jobId=created["jobId"])
        job = wait_for_job(client, app, "main", created["jobId"])
        assert job["summary"]["status"] == "SUCCEED", job["steps"]
        host = f"main.{app}.{preamp.address()['site_domain']}"

        def get(query: str, accept: str = "*/*") -> tuple[int, http.client.HTTPMessage, bytes]:
            connection = http.client.HTTPConnection(preamp.edge, timeout=60)
            try:
                headers = {"Host": host, "Accept": accept}
                connection.request("GET", f"/_amplify/image?{query}", headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read()
            finally:
                connection.close()

        status, headers, body = get("url=%2Fphoto.jpg&width=640&quality=60", "image/avif,image/webp,*/*")
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (
            200,
            "image/avif",
            "public, max-age=3600",
        )
        made = pyvips.Image.new_from_buffer(body, "")
        assert (made.width, made.height) == (640, 427)
        assert (made - photo(1200, 800).resize(640 / 1200, vscale=427 / 800)).abs().avg() < 8

        status, headers, body = get("url=%2Fmade.png%3Fby%3Dserver&width=100&rotate=90")
        assert (status, headers["Content-Type"]) == (200, "image/png")
        made = pyvips.Image.new_from_buffer(body, "")
        assert (made.width, made.height) == (100, 200)
        assert tuple(made.getpoint(5, 5)) == (0, 0, 255)

        port = preamp.address()["control_url"].rpartition(":")[2].strip("/")
        for url in (f"https://127.0.0.1:{port}/", f"https://localhost:{port}/"):
            status, _, body = get(f"url={url}&width=100")
            assert (status, body) == (400, b"url leads to an address that sites may not reach\n")

        # A decoder that breaks breaks one image; the edge makes the next one.
        (program,) = transformers(preamp)
        os.kill(program, signal.SIGKILL)
        until(lambda: program not in transformers(preamp), "the program to be gone")
        assert get("url=%2Fphoto.jpg&width=100&flip")[0] == 200

        # And none outlives the server, however that ends.
        (program,) = transformers(preamp)
        preamp.kill()
        until(lambda: not is_alive(program), "the program to end with the server")


def transformers(preamp: Preamp) -> list[int]:
    """Programs that change images for this server."""
    edges = processes_of(preamp, "edge")
    return [
        pid
        for pid, words in command_lines()
        if b"preamp.edge.images.transformer" in words and parent_of(pid) in edges and is_alive(pid)
    ]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
