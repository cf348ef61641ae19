"""A server behind the edge, for tests of rules that forward: it tells what it got, or misbehaves as asked.

/echo...          the request as it came, as JSON
/status/N         status N, body `status N`
/page             a page of HTML
/redirect         302 to /elsewhere
/length/N         N bytes with a length
/chunked/N        N bytes in chunks, without a length
/until-close      a body that ends with the connection
/cookies          two Set-Cookie lines and hop-by-hop headers
/hints            103 before the answer
/hints-and-cookie 103, then 302 without a body that sets a cookie, another each time
/twice            two answers at once
/silent           never answers
/stall            half of an answer, then silence
/slow             answers after 0.4 s
/once...          answers the first time, and then never
/cut              half of an answer with a length, then the connection is closed
/garbage          bytes that are not HTTP
/early            413 before the body was read
/websocket        101, then echoes bytes; the first bytes come with the head
/closes           answers, and closes the connection although it did not say so
/closes-at-once   closes the connection without an answer
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Upstream:
    port: int = 0
    connections: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)
    received: int = 0
    """Bytes of request bodies."""
    cancelled: int = 0
    """Connections that ended while an answer was under way."""
    close_next: int = 0
    """So many requests get no answer: the connection is closed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.cancelled += 1
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = start.split(" ")
        headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
        known = dict(headers)
        self.requests.append((method, target))
        path, _, argument = target.partition("?")[0].strip("/").partition("/")

        def answer(status: str, body: bytes = b"", *more: str) -> None:
            lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", ""]
            writer.write("\r\n".join(lines).encode() + (b"" if method == "HEAD" else body))

        if path == "closes-at-once" or self.close_next:
            self.close_next = max(0, self.close_next - 1)
            return False
        if path == "early":
            answer("413 Too Large", b"too large", "Connection: close")
            await writer.drain()
            return False
        body = await self._body(reader, known, keep=path == "echo")
        if path == "echo":
            told = {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}
            answer("200 OK", json.dumps(told).encode(), "Content-Type: application/json", "Server: upstream")
        elif path == "status":
            answer(f"{argument} Whatever", f"status {argument}".encode(), "Content-Type: text/plain")
        elif path == "page":
            answer("200 OK", b"<h1>page</h1>", "Content-Type: text/html; charset=utf-8")
        elif path == "redirect":
            answer("302 Found", b"", "Location: /elsewhere")
        elif path == "length":
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {argument}\r\n\r\n".encode())
            await self._fill(writer, int(argument), chunked=False)
        elif path == "chunked":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
            await self._fill(writer, int(argument), chunked=True)
            writer.write(b"0\r\nX-Sum: 1\r\n\r\n")
        elif path == "until-close":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end")
            await writer.drain()
            return False
        elif path == "cookies":
            answer(
                "200 OK",
                b"cookies",
                "Set-Cookie: a=1",
                "Set-Cookie: b=2",
                "Connection: keep-alive, X-Hop",
                "Keep-Alive: timeout=5",
                "X-Hop: 1",
                "Date: Thu, 01 Jan 1970 00:00:00 GMT",
                "X-Kept: yes",
            )
        elif path == "hints":
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            answer("200 OK", b"after hints")
        elif path == "hints-and-cookie":
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            await asyncio.sleep(0.05)  # so that it arrives alone
            answer("302 Found", b"", "Location: /elsewhere", f"Set-Cookie: visitor={len(self.requests)}")
        elif path == "twice":
            one, more = (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length for length in (3, 4))
            writer.write(one + b"one" + more + b"more")
        elif path == "slow":
            await asyncio.sleep(0.4)
            answer("200 OK", b"slow")
        elif path == "once" and self.requests.count((method, target)) == 1:
            answer("200 OK", b"once")
        elif path in {"silent", "stall", "once"}:
            if path == "stall":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
            await reader.readexactly(1)
        elif path == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
            await writer.drain()
            return False
        elif path == "garbage":
            writer.write(b"this is not HTTP\r\n\r\n")
            await writer.drain()
            return False
        elif path == "websocket":
            await self._websocket(reader, writer, known)
            return False
        elif path == "closes":
            answer("200 OK", b"bye")
            await writer.drain()
            return False
        else:
            answer("404 Not Found", b"upstream has nothing here", "Content-Type: text/plain")
        await writer.drain()
        return True

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str], *, keep: bool) -> bytes:
        kept = bytearray()

        async def take(length: int) -> None:
            while length:
                data = await reader.readexactly(min(length, 65536))
                self.received += len(data)
                length -= len(data)
                if keep:
                    kept.extend(data)

        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                await take(size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            await take(int(headers.get("content-length", "0")))
        return bytes(kept)

    async def _fill(self, writer: asyncio.StreamWriter, size: int, *, chunked: bool) -> None:
        while size:
            piece = b"x" * min(size, 65536)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            size -= len(piece)
            await writer.drain()

    async def _websocket(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]
    ) -> None:
        if headers.get("upgrade") != "websocket" or headers.get("connection") != "upgrade":
            writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: checked\r\n\r\nhello "
        )
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@contextlib.contextmanager
def running_upstream(*, path: str | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """On a port of loopback, or on the unix socket `path`."""
    upstream = Upstream()
    ready = threading.Event()
    handle: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        handle.append((asyncio.get_running_loop(), stop))
        if path is not None:
            server = await asyncio.start_unix_server(upstream.serve, path)
        else:
            server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
            upstream.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(30)
    try:
        yield upstream
    finally:
        loop, stop = handle[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
