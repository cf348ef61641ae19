from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

import pytest

from preamp.compute.client import ComputeClient, ComputeUnavailable
from preamp.compute.door import Door
from preamp.compute.host import Host


def test_who_asks_is_answered_also_when_the_host_cannot_be_opened(caplog: pytest.LogCaptureFixture) -> None:
    async def opening() -> Host:
        raise ValueError("the master key is damaged")

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            door, path = Door(opening), Path(folder) / "s"
            await door.open(path)
            client = ComputeClient(path)
            try:
                with pytest.raises(ComputeUnavailable, match="the master key is damaged") as caught:
                    async with asyncio.timeout(10), client.use("r"):
                        pass
            finally:
                await client.close()
                await door.close()
        assert caught.value.status == 502
        assert "master" not in caught.value.reason_for_visitor

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "master key is damaged" in caplog.text
