"""A compute host with real Node servers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.compute.client import ComputeUnavailable
from preamp.model.hosting import BranchHosting
from tests.integration.compute.support import ECHO, Site, get, new_site, parsed, running, until

pytestmark = pytest.mark.needs("bwrap", "node")


@pytest.fixture
def site() -> Iterator[Site]:
    with new_site() as site:
        yield site


def test_two_servers_that_insist_on_one_port_run_at_once(site: Site) -> None:
    async def main() -> None:
        first, second = site.release(ECHO), site.release(ECHO)
        async with running(site) as it:
            answers = list(await asyncio.gather(it.get(first), it.get(second)))
            assert answers == ["NAME 0000000001", "NAME 0000000002"]
            assert len(it.host.running) == 2

    asyncio.run(main())


def test_one_start_serves_all_who_wait_for_it(site: Site) -> None:
    async def main() -> None:
        release = site.release(ECHO)
        async with running(site) as it:
            await asyncio.gather(*(it.get(release) for _ in range(10)))
            assert site.log().count("# The server started") == 1

    asyncio.run(main())


def test_es_modules_and_options_of_listen(site: Site) -> None:
    async def main() -> None:
        module = """
            import { createServer } from "node:http";
            const server = createServer((request, response) => response.end(JSON.stringify([
              server.address(), request.socket.remoteAddress])));
            server.listen({ path: false, port: process.env.PORT, host: "0.0.0.0" }, () => console.log("up"));
        """
        release = site.release({"server.mjs": module}, runtime="nodejs20.x")
        async with running(site) as it:
            assert parsed(await it.get(release)) == [
                {"address": "127.0.0.1", "family": "IPv4", "port": 3000},
                "127.0.0.1",
            ]
            assert "Z up\n" in site.log()

    asyncio.run(main())


def test_another_port_stays_a_port(site: Site) -> None:
    async def main() -> None:
        server = """
            const http = require("node:http");
            http.createServer((_, response) => response.end("inner")).listen(9229, "127.0.0.1", () => {
              http.createServer((_, response) => {
                http.get("http://127.0.0.1:9229/", (inner) => inner.pipe(response));
              }).listen("3000", "::");
            });
        """
        release = site.release(server)
        async with running(site) as it:
            assert await it.get(release) == "inner"

    asyncio.run(main())


def test_a_server_that_nobody_uses_is_stopped_and_started_again(site: Site) -> None:
    async def main() -> None:
        release = site.release(ECHO)
        async with running(site, compute_idle_seconds=0.4) as it:
            await it.get(release)
            await until(lambda: not it.host.running, "the idle stop")
            await until(lambda: "nobody used it" in site.log(), "the line in the log")
            assert await it.get(release) == "NAME 0000000001"

    asyncio.run(main())


def test_a_server_that_listens_for_sigterm_ends_as_it_likes(site: Site) -> None:
    async def main() -> None:
        release = site.release("""
            const server = require("node:http").createServer((_, response) => response.end("x")).listen(3000);
            process.on("SIGTERM", () => server.close(() => {
              console.log("closed the database");
              process.exit(0);
            }));
        """)
        async with running(site, compute_idle_seconds=0.2) as it:
            await it.get(release)
            await until(lambda: "closed the database" in site.log(), "its last words")

    asyncio.run(main())


def test_what_is_in_use_is_not_stopped(site: Site) -> None:
    async def main() -> None:
        release = site.release(ECHO)
        async with running(site, compute_idle_seconds=0.2) as it:
            async with it.client.use(release):
                await asyncio.sleep(1.0)
                assert it.host.running
            await until(lambda: not it.host.running, "the idle stop")

    asyncio.run(main())


def test_no_request_is_lost_to_idle_stops(site: Site) -> None:
    """Requests that come just when their server is about to be stopped."""

    async def main() -> None:
        release = site.release(ECHO)
        async with running(site, compute_idle_seconds=0.1) as it:
            for number in range(15):
                assert await it.get(release) == "NAME 0000000001"
                await asyncio.sleep(0.1 + 0.01 * number)
            assert site.log().count("# The server started") > 1

    asyncio.run(main())


def test_a_killed_server_is_started_with_the_next_request(site: Site) -> None:
    async def main() -> None:
        release = site.release(ECHO)
        async with running(site) as it:
            await it.get(release)
            [pid] = it.pids()
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not it.host.running, "the host to notice")
            assert await it.get(release) == "NAME 0000000001"
            assert "was ended by SIGKILL" in site.log()

    asyncio.run(main())


def test_a_crash_loop_answers_at_once(site: Site) -> None:
    async def main() -> None:
        release = site.release("console.log('no database'); process.exit(7);")
        async with running(site) as it:
            with pytest.raises(ComputeUnavailable, match=r"exited with 7[^$]*no database") as caught:
                await it.get(release)
            assert caught.value.status == 502
            assert "database" not in caught.value.reason_for_visitor
            for _ in range(2):  # the first try again is free
                with pytest.raises(ComputeUnavailable):
                    await it.get(release)
            with pytest.raises(ComputeUnavailable, match="2 times in a row"):
                await it.get(release)
            assert site.log().count("No server") == 2

    asyncio.run(main())


def test_a_server_that_does_not_listen(site: Site) -> None:
    async def main() -> None:
        release = site.release("setInterval(() => {}, 1000); console.log('sleeping');")
        async with running(site, compute_start_seconds=0.7) as it:
            with pytest.raises(ComputeUnavailable, match=r"did not listen on port 3000.*\n*.*sleeping"):
                await it.get(release)
            assert not it.host.running

    asyncio.run(main())


def test_a_server_that_stops_listening_is_replaced(site: Site) -> None:
    async def main() -> None:
        release = site.release("""
            const server = require("node:http").createServer((request, response) => {
              response.end("here");
              if (request.url === "/deaf") { server.close(); setInterval(() => {}, 1000); }
            }).listen(3000);
        """)
        async with running(site) as it:
            async with it.client.use(release) as path:
                assert await get(path, "/deaf") == "here"
            for _ in range(200):
                async with it.client.use(release) as path:
                    try:
                        assert await get(path) == "here"
                        break
                    except ConnectionError:
                        it.client.broken(release, path)
                await asyncio.sleep(0.02)
            else:
                raise AssertionError("it was never replaced")
            assert "does not listen any more" in site.log()

    asyncio.run(main())


def test_a_switch_drains_the_old_server_and_warms_the_new_one(site: Site) -> None:
    async def main() -> None:
        old = site.release(ECHO)
        async with running(site) as it:
            await it.get(old)
            slow = asyncio.create_task(it.get(old, "/slow?ms=2500"))
            await asyncio.sleep(0.1)
            new = site.release(ECHO)
            await until(lambda: [s.release_id for s in it.host.running] == [new], "the switch")
            assert not slow.done()
            assert await it.get(new) == "NAME 0000000002"
            assert await slow == "begun done"
            await until(lambda: "serves another release" in site.log(), "the end of the old one")

    asyncio.run(main())


def test_draining_ends(site: Site) -> None:
    async def main() -> None:
        old = site.release(ECHO)
        async with running(site, compute_drain_seconds=0.2) as it:
            slow = asyncio.create_task(it.get(old, "/slow?ms=60000"))
            await until(lambda: bool(it.host.running), "the start")
            site.release(ECHO)
            assert await slow == "begun"
            await until(lambda: "under way" in site.log(), "the end of the old one")

    asyncio.run(main())


def test_the_longest_unused_makes_place(site: Site) -> None:
    async def main() -> None:
        releases = [site.release(ECHO, serve=False) for _ in range(3)]
        async with running(site, compute_servers=2) as it:
            await it.get(releases[0])
            await it.get(releases[1])
            await it.get(releases[0])
            await it.get(releases[2])
            assert {s.release_id for s in it.host.running} == {releases[0], releases[2]}
            async with it.client.use(releases[0]), it.client.use(releases[2]):
                with pytest.raises(ComputeUnavailable, match="compute_servers") as caught:
                    await it.get(releases[1])
                assert caught.value.status == 503
            assert await it.get(releases[1]) == "NAME 0000000002"

    asyncio.run(main())


def test_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREAMP_CANARY", "tell nobody")

    async def main() -> None:
        release = site.release(ECHO)
        async with running(site) as it:
            seen = parsed(await it.get(release, "/env"))
            assert seen["AWS_APP_ID"] == site.app.app_id
            assert seen["AWS_BRANCH"] == "main"
            assert seen["AWS_JOB_ID"] == seen["AWS_AMPLIFY_DEPLOYMENT_ID"] == "0000000001"
            assert (seen["PORT"], seen["NODE_ENV"], seen["HOME"]) == ("3000", "production", "/tmp")
            assert "GREETING" not in seen
            assert not [name for name in seen if name.startswith("PREAMP_")]

            site.options(BranchHosting(runtime_variables=True))
            await until(lambda: "its variables changed" in site.log(), "the replacement")
            seen = parsed(await it.get(release, "/env"))
            assert (seen["GREETING"], seen["BOTH"]) == ("hello", "branch")

    asyncio.run(main())


def test_a_change_while_a_server_starts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preamp.compute.follow.POLL_SECONDS", 0.3)

    async def main() -> None:
        release = site.release(f"console.log('starting'); setTimeout(() => {{ {ECHO} }}, 1500);")
        async with running(site) as it:
            asking = asyncio.create_task(it.get(release, "/env"))
            await until(lambda: "starting" in site.log(), "the start")
            site.options(BranchHosting(runtime_variables=True))
            assert "GREETING" not in parsed(await asking)
            await until(lambda: "its variables changed" in site.log(), "the replacement")
            assert parsed(await it.get(release, "/env"))["GREETING"] == "hello"

    asyncio.run(main())


def test_what_a_dead_process_with_our_pid_left(site: Site) -> None:
    """In containers pids are the same after each start."""

    async def main() -> None:
        release = site.release(ECHO)
        async with running(site) as it:
            (it.host._machine.places.work / f"{os.getpid()}-1" / "tmp").mkdir(parents=True)
            assert await it.get(release) == "NAME 0000000001"

    asyncio.run(main())


def test_more_memory_than_allowed(site: Site) -> None:
    async def main() -> None:
        release = site.release("""
            const kept = [];
            require("node:http").createServer((request, response) => {
              if (request.url === "/") return response.end("ok");
              setInterval(() => kept.push(Buffer.alloc(32 << 20, 1)), 10);
            }).listen(3000);
        """)
        async with running(site, compute_memory_mb=160) as it:
            assert await it.get(release) == "ok"
            with pytest.raises(ConnectionError):
                await it.get(release, "/grow")
            await until(lambda: "more memory than it may have" in site.log(), "the line in the log")
            assert await it.get(release) == "ok"

    asyncio.run(main())


def test_a_known_release_starts_without_the_database(site: Site) -> None:
    async def main() -> None:
        release, unknown = site.release(ECHO), site.release(ECHO, serve=False)
        async with running(site) as it:
            await it.get(release)
        site.database.close()
        (site.folder.root / "preamp.db").rename(site.folder.root / "away")
        async with running(site) as it:
            assert await it.get(release) == "NAME 0000000001"
            with pytest.raises(ComputeUnavailable, match="never ran here"):
                await it.get(unknown)

    asyncio.run(main())


def test_unknown_releases(site: Site) -> None:
    async def main() -> None:
        async with running(site) as it:
            for name in ("nothing", "../../etc", ""):
                with pytest.raises(ComputeUnavailable, match="there is no release"):
                    await it.get(name)

    asyncio.run(main())


def test_it_leaves_nothing_behind(site: Site) -> None:
    async def main() -> Path:
        release = site.release(ECHO)
        async with running(site) as it:
            await it.get(release)
            machine = it.host._machine
            assert len(list(machine.places.work.iterdir())) == 1
            return machine.places.work

    work = asyncio.run(main())
    assert not list(work.iterdir())
    assert not list((site.folder.run / "compute").iterdir())
