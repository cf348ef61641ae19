"""A server that is told to stop answers whoever had reached it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from preamp.edge import gentle
from preamp.server.uvicorn_server import serve_app


async def answer(scope: dict[str, object], _receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]


def test_a_request_that_comes_after_its_connection_was_taken_is_answered_during_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gentle, "ARRIVAL_SECONDS", 1.0)  # for slow machines

    async def main() -> bytes:
        stop, ready = asyncio.Event(), asyncio.Event()
        # Another process holds the socket as well, as the parent of `preamp serve` does.
        with socket.create_server(("127.0.0.1", 0)) as sock:
            serving = asyncio.create_task(serve_app(answer, sock.dup(), ready=ready.set, stop=stop))
            await ready.wait()
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            await asyncio.sleep(0.05)  # it is taken
            stop.set()
            await asyncio.sleep(0.15)  # the stop is noticed
            assert not serving.done()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            found = await reader.read()
            writer.close()
            await serving
        return found

    found = asyncio.run(main())
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.endswith(b"ok")
