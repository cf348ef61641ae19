"""The load of the WebSocket rows: connections that send a message, wait for its echo, and send the next."""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop

PAYLOAD = 100
"""Bytes of a message."""
_MASK = b"\x01\x02\x03\x04"
_DATA = bytes(byte ^ _MASK[place % 4] for place, byte in enumerate(b"m" * PAYLOAD))
_FRAME = bytes([0x82, 0x80 | PAYLOAD]) + _MASK + _DATA
_ECHO = 2 + PAYLOAD


class _Visitor(asyncio.Protocol):
    def __init__(self, host: str, target: str) -> None:
        self._head = (
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()
        self._got = b""
        self._in_head = True
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.messages = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._in_head:
            head, found, self._got = self._got.partition(b"\r\n\r\n")
            if not found:
                self._got = head
                return
            self._in_head = False
            if head.startswith(b"HTTP/1.1 101 "):
                self.begun.set_result(None)
            else:
                self.begun.set_exception(RuntimeError(f"no upgrade: {head!r}"))
            return
        while len(self._got) >= _ECHO:
            self._got = self._got[_ECHO:]
            self.messages += 1
            self.transport.write(_FRAME)

    def begin(self) -> None:
        self.transport.write(_FRAME)


async def _run(port: int, host: str, target: str, connections: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    visitors = []
    for _ in range(connections):
        _, visitor = await loop.create_connection(lambda: _Visitor(host, target), "127.0.0.1", port)
        visitors.append(visitor)
    await asyncio.wait_for(asyncio.gather(*(visitor.begun for visitor in visitors)), 10)
    for visitor in visitors:
        visitor.begin()
    begun = time.perf_counter()
    await asyncio.sleep(seconds)
    count, taken = sum(visitor.messages for visitor in visitors), time.perf_counter() - begun
    for visitor in visitors:
        visitor.transport.abort()
    return count / taken


if __name__ == "__main__":
    print(uvloop.run(_run(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))))
