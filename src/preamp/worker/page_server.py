"""The files of one release on a loopback port, for one browser that knows a token."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from preamp.model.releases import File, Manifest
from preamp.store.blobs import BlobStore

MAX_HEAD = 16 * 1024


class PageServer:
    """Use as an async context manager; it gives the URL of the page.

    Everybody on the machine can reach a loopback port, and the page may not be for everybody: a request
    without the token in its User-Agent is refused.
    """

    def __init__(self, manifest: Manifest, blobs: BlobStore, *, token: str) -> None:
        self._files = manifest.files
        self._blobs = blobs
        self._token = token.encode()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_HEAD)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, headers = head.partition(b"\r\n")
            method, target, *_ = line.split(b" ")
            agent = next(
                (item for item in headers.split(b"\r\n") if item.lower().startswith(b"user-agent:")), b""
            )
            if self._token not in agent:
                await self._answer(writer, HTTPStatus.FORBIDDEN, "text/plain", b"")
                return
            file = self._find(unquote(urlsplit(target.decode("latin-1")).path)) if method == b"GET" else None
            if file is None:
                await self._answer(writer, HTTPStatus.NOT_FOUND, "text/plain", b"")
                return
            body = await asyncio.to_thread(self._blobs.read, file.body.blob)
            await self._answer(writer, HTTPStatus.OK, file.content_type, body)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # the browser went away, or speaks something else
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, status: HTTPStatus, kind: str, body: bytes) -> None:
        writer.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {kind}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode("latin-1")
        )
        writer.write(body)
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    def _find(self, path: str) -> File | None:
        """The file that the edge would serve for it, without redirects."""
        name = path.strip("/")
        for candidate in (name, f"{name}.html", f"{name}/index.html".lstrip("/")):
            if candidate in self._files:
                return self._files[candidate]
        return None
