"""The compute host as a process of its own, and what its death means."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from preamp.compute.client import ComputeClient, ComputeUnavailable
from preamp.compute.messages import CONTROL_SOCKET
from tests.integration.compute.support import ECHO, Site, get, new_site, until

pytestmark = pytest.mark.needs("bwrap", "node")


@pytest.fixture
def site() -> Iterator[Site]:
    with new_site() as site:
        yield site


@contextmanager
def host_process(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """`preamp compute`, ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "preamp", "compute", "--data", str(site.folder.root), "--drain-seconds", "2"],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def servers_of(site: Site) -> list[int]:
    """Pids of Node processes that run in the folder's bundles, as the sockets that they listen on tell."""
    listening = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    inodes = {
        f"socket:[{words[6]}]"
        for words in listening
        if len(words) > 7 and words[7].startswith(str(site.folder.run / "compute"))
    }
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                links = {str(fd.readlink()) for fd in (entry / "fd").iterdir()}
            except OSError:
                continue
            if links & inodes:
                found.append(int(entry.name))
    return found


async def ask_as_edges_do(client: ComputeClient, release: str) -> str:
    """A lease may be older than the news of its server's death: then the host is asked."""
    async with client.use(release) as path:
        try:
            return await get(path)
        except ConnectionError:
            client.broken(release, path)
    async with client.use(release) as path:
        return await get(path)


def test_a_killed_host_takes_its_servers_along_and_clients_go_on(site: Site) -> None:
    release = site.release(ECHO)

    async def main() -> None:
        client = ComputeClient(site.folder.run / CONTROL_SOCKET)
        with host_process(site) as first:
            async with client.use(release) as path:
                assert await get(path) == "NAME 0000000001"
            assert servers_of(site)
            first.send_signal(signal.SIGKILL)
            first.wait()
            await until(lambda: not servers_of(site), "the death of the servers")
        with host_process(site):
            assert await ask_as_edges_do(client, release) == "NAME 0000000001"
            assert len(list((site.folder.run / "compute").iterdir())) == 1  # the dead one's is gone
        await client.close()

    asyncio.run(main())


def test_stopping_lets_requests_finish(site: Site) -> None:
    release = site.release(ECHO)

    async def main() -> None:
        client = ComputeClient(site.folder.run / CONTROL_SOCKET)

        async def slow() -> str:
            async with client.use(release) as path:
                return await get(path, "/slow?ms=1000")

        with host_process(site) as host:
            async with client.use(release):
                pass
            answer = asyncio.create_task(slow())
            await asyncio.sleep(0.3)
            host.send_signal(signal.SIGTERM)
            assert await answer == "begun done"
            assert await asyncio.to_thread(host.wait, 20) == 0
            assert not servers_of(site)
        await client.close()

    asyncio.run(main())


def test_who_asks_a_host_that_stops_is_served_by_the_next_one(site: Site) -> None:
    first_release, second_release = site.release(ECHO), site.release(ECHO, serve=False)

    async def main() -> None:
        client = ComputeClient(site.folder.run / CONTROL_SOCKET)

        async def ask(release: str, target: str) -> str:
            async with client.use(release) as path:
                return await get(path, target)

        with host_process(site) as host:
            async with client.use(first_release):
                pass
            slow = asyncio.create_task(ask(first_release, "/slow?ms=1500"))
            await asyncio.sleep(0.3)
            host.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            late = asyncio.create_task(ask(second_release, "/"))
            assert await slow == "begun done"
            assert await asyncio.to_thread(host.wait, 20) == 0
            assert not late.done()
        with host_process(site):
            assert await late == "NAME 0000000002"
        await client.close()

    asyncio.run(main())


def test_two_hosts_of_one_folder(site: Site) -> None:
    with host_process(site):
        second = subprocess.run(
            [sys.executable, "-m", "preamp", "compute", "--data", str(site.folder.root)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert second.returncode == 2
    assert "another compute host" in second.stderr


def test_without_a_host(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preamp.compute.client.RESTART_SECONDS", 0.2)

    async def main() -> None:
        client = ComputeClient(site.folder.run / CONTROL_SOCKET)
        for _ in range(2):
            with pytest.raises(ComputeUnavailable, match="start `preamp compute`") as caught:
                async with client.use("r"):
                    pass
            assert caught.value.status == 503
        await client.close()

    asyncio.run(main())
