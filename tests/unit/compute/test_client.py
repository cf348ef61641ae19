"""The client against a host that the test plays, message by message."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from preamp.compute.client import ComputeClient, ComputeUnavailable
from preamp.compute.messages import (
    MOST_BYTES,
    Broken,
    FromClient,
    FromHost,
    Given,
    Gone,
    Here,
    Kept,
    MessageError,
    Refused,
    Retire,
    Tell,
    Told,
    Want,
    encode,
    read_from_client,
)


class PlayedHost:
    """What the client sent, and what the test answers."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[FromClient] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None
        self.talks: list[asyncio.Task[None] | None] = []

    async def come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.talks.append(asyncio.current_task())
        while (message := await read_from_client(reader)) is not None:
            self.heard.put_nowait(message)
        writer.close()

    def say(self, *messages: FromHost) -> None:
        assert self.writer is not None
        self.writer.write(b"".join(map(encode, messages)))

    async def hear(self) -> FromClient:
        return await asyncio.wait_for(self.heard.get(), 10)

    async def grant(self, lease: int, socket: str = "/a.sock", *more: FromHost) -> Want:
        want = await self.hear()
        assert isinstance(want, Want)
        self.say(Here(want.number, lease, socket), *more)
        return want

    async def silence(self) -> None:
        """Nothing was said: a question and its answer come next."""
        self.say(Tell(99))
        answer = await self.hear()
        assert isinstance(answer, Told), answer


@asynccontextmanager
async def played() -> AsyncIterator[tuple[PlayedHost, ComputeClient]]:
    host = PlayedHost()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        server = await asyncio.start_unix_server(host.come, path=str(path))
        client = ComputeClient(path)
        try:
            yield host, client
        finally:
            await client.close()
            server.close()
            await asyncio.gather(*filter(None, host.talks))
            await asyncio.sleep(0.01)  # for transports, which close later than their streams


def play(scene: Callable[[PlayedHost, ComputeClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with played() as (host, client):
            await scene(host, client)

    asyncio.run(main())


Inside = AbstractAsyncContextManager[Path]


async def enter(client: ComputeClient, release: str = "r") -> tuple[Path, Inside]:
    """A use that lasts until `leave`."""
    use = client.use(release)
    return await asyncio.wait_for(use.__aenter__(), 10), use


async def granted(
    host: PlayedHost, client: ComputeClient, lease: int, socket: str = "/a.sock"
) -> tuple[Path, Inside]:
    """A use for which the host was asked."""
    entering = asyncio.create_task(enter(client))
    await host.grant(lease, socket)
    return await entering


async def leave(use: Inside) -> None:
    await use.__aexit__(None, None, None)


def test_one_question_for_all_who_ask_and_none_while_it_is_leased() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        first, second = asyncio.create_task(enter(client)), asyncio.create_task(enter(client))
        want = await host.grant(1)
        assert want.release == "r"
        assert [(await task)[0] for task in (first, second)] == [Path("/a.sock")] * 2
        await enter(client)
        await host.silence()
        for task in (first, second):
            await leave((await task)[1])

    play(scene)


def test_a_lease_in_use_is_kept_and_given_back_at_the_end() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        _, inside = await granted(host, client, 7)
        host.say(Retire(7, 100.0))
        assert await host.hear() == Kept(7, 1, 0.0)
        host.say(Retire(7, None))  # without condition: it ends with its uses
        await host.silence()
        path, again = await granted(host, client, 8, "/b.sock")
        assert path == Path("/b.sock")
        await leave(inside)
        assert await host.hear() == Given(7)
        await leave(again)

    play(scene)


def test_an_idle_lease_goes_at_once_and_the_next_use_asks() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        await leave((await granted(host, client, 7))[1])
        host.say(Retire(7, 100.0))
        kept = await host.hear()
        assert isinstance(kept, Kept)
        assert kept.open == 0
        host.say(Retire(7, 0.0))
        assert await host.hear() == Given(7)
        await leave((await granted(host, client, 8))[1])

    play(scene)


def test_taken_back_before_anybody_used_it() -> None:
    """Lease and demand for it arrive together: whoever waited asks again."""

    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        entering = asyncio.create_task(enter(client))
        await host.grant(1, "/a.sock", Retire(1, None))
        assert await host.hear() == Given(1)
        await host.grant(2, "/b.sock")
        path, inside = await entering
        assert path == Path("/b.sock")
        await leave(inside)

    play(scene)


def test_a_demand_for_a_lease_that_was_given_back_is_not_answered() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        path, inside = await granted(host, client, 1)
        client.broken("r", path)
        await leave(inside)
        assert [await host.hear(), await host.hear()] == [Broken(1), Given(1)]
        host.say(Retire(1, None), Gone(1))
        await host.silence()
        client.broken("r", path)  # heard twice: said once
        await host.silence()

    play(scene)


def test_a_dead_server_is_forgotten() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        _, inside = await granted(host, client, 1)
        host.say(Gone(1))
        await host.silence()
        path, again = await granted(host, client, 2, "/b.sock")
        assert path == Path("/b.sock")
        await leave(inside)
        await host.silence()
        await leave(again)

    play(scene)


def test_refusals() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        entering = asyncio.create_task(enter(client))
        using = asyncio.create_task(client.use("r").__aenter__())
        want = await host.hear()
        assert isinstance(want, Want)
        host.say(Refused(want.number, 502, "exited with 1", "It could not be started."))
        with pytest.raises(ComputeUnavailable, match="exited with 1") as caught:
            await using
        assert (caught.value.status, caught.value.reason_for_visitor) == (502, "It could not be started.")
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)

    play(scene)


def test_who_gives_up_does_not_spoil_it_for_others() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        impatient = asyncio.create_task(client.use("r").__aenter__())
        patient = asyncio.create_task(enter(client))
        want = await host.hear()
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        assert isinstance(want, Want)
        host.say(Here(want.number, 1, "/a.sock"))
        await leave((await patient)[1])

    play(scene)


def test_a_host_that_dies_is_asked_again_when_it_is_back() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        entering = asyncio.create_task(enter(client))
        await host.hear()
        assert host.writer is not None
        host.writer.close()
        await host.grant(5, "/b.sock")  # the same question, on a new connection
        path, inside = await entering
        assert path == Path("/b.sock")
        await leave(inside)

    play(scene)


def test_how_much_is_used() -> None:
    async def scene(host: PlayedHost, client: ComputeClient) -> None:
        _, inside = await granted(host, client, 3)
        host.say(Tell(1))
        assert await host.hear() == Told(1, (Kept(3, 1, 0.0),))
        await leave(inside)
        host.say(Tell(2))
        told = await host.hear()
        assert isinstance(told, Told)
        assert told.uses[0].open == 0

    play(scene)


def test_what_is_no_message() -> None:
    async def main() -> None:
        for data in (b"\xff\xff\xff\xff", (MOST_BYTES + 1).to_bytes(4, "big"), b"\0\0\0\2{}"):
            reader = asyncio.StreamReader()
            reader.feed_data(data)
            reader.feed_eof()
            with pytest.raises(MessageError):
                await read_from_client(reader)
        reader = asyncio.StreamReader()
        reader.feed_data(b"\0\0")
        reader.feed_eof()
        assert await read_from_client(reader) is None

    asyncio.run(main())


def test_every_message_survives_the_way() -> None:
    messages: list[FromClient] = [
        Want(1, "r"),
        Broken(1),
        Given(2),
        Kept(1, 2, 0.5),
        Told(1, (Kept(1, 0, 2.0),)),
    ]

    async def main() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"".join(encode(message) for message in messages))
        reader.feed_eof()
        found = [await read_from_client(reader) for _ in messages]
        assert found == messages

    asyncio.run(main())
