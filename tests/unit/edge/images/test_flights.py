import asyncio

import pytest

from preamp.edge.images.flights import Flights


def test_work_is_done_once_while_it_is_under_way():
    async def run():
        flights, started, go = Flights(), [], asyncio.Event()

        async def work():
            started.append(1)
            await go.wait()
            return len(started)

        waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(5)]
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(*waiting) == [1] * 5
        assert await flights.join("a", work) == 2

    asyncio.run(run())


def test_who_leaves_does_not_stop_it_for_the_others():
    async def run():
        flights, go = Flights(), asyncio.Event()

        async def work():
            await go.wait()
            return "done"

        first = asyncio.create_task(flights.join("a", work))
        second = asyncio.create_task(flights.join("a", work))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        go.set()
        assert await second == "done"
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(run())


def test_all_who_wait_get_the_error_and_the_next_one_tries_again():
    async def run():
        flights, calls = Flights(), []

        async def work():
            calls.append(1)
            await asyncio.sleep(0)
            raise ValueError(len(calls))

        found = await asyncio.gather(*(flights.join("a", work) for _ in range(3)), return_exceptions=True)
        assert [error.args for error in found] == [(1,)] * 3
        with pytest.raises(ValueError, match="2"):
            await flights.join("a", work)

    asyncio.run(run())


def test_closing_ends_what_is_under_way():
    async def run():
        flights = Flights()
        task = asyncio.create_task(flights.join("a", asyncio.Event().wait))
        await asyncio.sleep(0)
        await flights.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
