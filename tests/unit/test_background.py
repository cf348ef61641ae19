"""Work beside a process's main work: its end is the end of the process."""

from __future__ import annotations

import asyncio
import logging

import pytest

from preamp.background import Background, WorkEnded


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _nothing() -> None:
    return


async def _fails() -> None:
    raise KeyError("a bug")


@pytest.mark.parametrize("work", [_nothing, _fails])
def test_what_ends_by_itself_stops_the_process(work, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        async with Background(stop) as background:
            other = background.add("other work", _for_ever())
            background.add("work", work())
            await stop.wait()
            assert not other.done()

    with caplog.at_level(logging.CRITICAL), pytest.raises(WorkEnded, match=r"ended by itself: work$"):
        asyncio.run(main())
    assert ("a bug" in caplog.text) is (work is _fails)


def test_what_ends_after_the_order_to_stop_is_fine() -> None:
    async def until(stop: asyncio.Event) -> None:
        await stop.wait()

    async def main() -> None:
        stop = asyncio.Event()
        async with Background(stop) as background:
            work = background.add("work", until(stop))
            other = background.add("other work", _for_ever())
            stop.set()
            await work
        assert other.cancelled()

    asyncio.run(main())
