"""A Node server written by hand, with nothing from npm, as a bundle for server-side rendering."""

from __future__ import annotations

import io
import json
import struct
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from tests.support.preamp import wait_for_job
from tests.support.processes import command_lines, parent_of

SERVER = r"""
const http = require('http');
const { version } = require('./version.json');
let waiting = [];

const pages = {
  '/': (request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<h1>release ${version}</h1>`);
  },
  '/told': (request, response) => {
    response.setHeader('content-type', 'application/json');
    const { method, url, headers } = request;
    response.end(JSON.stringify({ method, url, headers }));
  },
  // The last piece comes when somebody else has asked for /go.
  '/pieces': (request, response) => {
    response.write('first\n');
    waiting.push(() => response.end('last\n'));
  },
  '/go': (request, response) => {
    response.end(String(waiting.length));
    waiting.forEach((go) => go());
    waiting = [];
  },
  '/events': (request, response, url) => {
    response.setHeader('content-type', 'text/event-stream');
    let left = Number(url.searchParams.get('n'));
    const timer = setInterval(() => {
      response.write(`data: ${left}\n\n`);
      if (--left === 0) { clearInterval(timer); response.end(); }
    }, Number(url.searchParams.get('ms')));
    request.on('close', () => clearInterval(timer));
  },
  '/large': (request, response, url) => {
    let left = Number(url.searchParams.get('bytes'));
    const piece = Buffer.alloc(65536, 'x');
    response.setHeader('content-length', left);
    const more = () => {
      while (left > 0) {
        const part = left < piece.length ? piece.subarray(0, left) : piece;
        left -= part.length;
        if (!response.write(part)) { response.once('drain', more); return; }
      }
      response.end();
    };
    more();
  },
  '/upload': async (request, response) => {
    let received = 0;
    for await (const part of request) received += part.length;
    response.end(String(received));
  },
  '/fails': (request, response) => { response.statusCode = 500; response.end('the application says so'); },
  '/made.png': (request, response) => {
    response.setHeader('content-type', 'image/png');
    response.end(require('fs').readFileSync('picture.png'));
  },
  '/made.txt': (request, response) => response.end('made by the server'),
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const page = pages[url.pathname];
  if (page) return page(request, response, url);
  response.statusCode = 404;
  response.end('the application has nothing here');
});

// Enough of WebSocket for a tunnel: after the head both sides send what they like.
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  socket.pipe(socket);
});

server.listen(3000, () => console.log(`release ${version} listens`));
"""

COMPUTE = {"kind": "Compute", "src": "default"}
MANIFEST = {
    "version": 1,
    "framework": {"name": "own", "version": "1.0.0"},
    "imageSettings": {
        "sizes": [16, 32],
        "domains": [],
        "remotePatterns": [],
        "formats": ["image/webp"],
        "minimumCacheTTL": 60,
        "dangerouslyAllowSVG": False,
    },
    "routes": [
        {"path": "/_image", "target": {"kind": "ImageOptimization"}},
        {
            "path": "/*.*",
            "target": {"kind": "Static", "cacheControl": "public, max-age=2"},
            "fallback": COMPUTE,
        },
        {"path": "/*", "target": COMPUTE},
    ],
    "computeResources": [{"name": "default", "runtime": "nodejs22.x", "entrypoint": "index.js"}],
}


def bundle(version: int, server: str = SERVER) -> dict[str, str | bytes]:
    """Contents by path. `version` is shown by the root page and in a static file."""
    return {
        "deploy-manifest.json": json.dumps(MANIFEST),
        "static/logo.svg": f"<svg><!-- {version} --></svg>",
        "compute/default/index.js": server,
        "compute/default/version.json": json.dumps({"version": version}),
    }


def picture(width: int, height: int) -> bytes:
    """A PNG of one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x30\x60\x90" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n", png[:20]
    return struct.unpack(">II", png[16:24])  # type: ignore[return-value]


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for path, text in files.items():
            file.writestr(path, text)
    return out.getvalue()


def deploy(client: Any, app_id: str, files: Mapping[str, str | bytes]) -> dict[str, Any]:
    """By a zip, to the branch main; the job when it is over."""
    created = client.create_deployment(appId=app_id, branchName="main")
    request = urllib.request.Request(created["zipUploadUrl"], data=zipped(files), method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    client.start_deployment(appId=app_id, branchName="main", jobId=created["jobId"])
    return wait_for_job(client, app_id, "main", created["jobId"])


def node_processes(root: int) -> list[int]:
    """Node servers among the descendants of a process."""
    return [
        pid for pid, words in command_lines() if words and words[0].endswith(b"node") and _is_below(pid, root)
    ]


def _is_below(pid: int, root: int) -> bool:
    above: int | None = pid
    while above and above != root:
        above = parent_of(above)
    return above == root
