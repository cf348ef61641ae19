from __future__ import annotations

import asyncio
import threading

import pytest

from preamp.build.threads import in_thread


def test_the_result_and_the_error_are_those_of_the_work() -> None:
    assert asyncio.run(in_thread(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(divmod, 7, 0))


@pytest.mark.parametrize("error", [None, OSError("what it worked on is odd")])
def test_a_cancellation_waits_for_the_thread_even_when_it_comes_twice(error: OSError | None) -> None:
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert may_end.wait(30)
        ended.set()
        if error is not None:
            raise error

    async def cancelled() -> None:
        task = asyncio.create_task(in_thread(work))
        assert await asyncio.to_thread(began.wait, 30)
        for _ in range(2):
            task.cancel()
            await asyncio.wait({task}, timeout=0.02)
            assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(cancelled())
