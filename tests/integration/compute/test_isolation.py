"""What a server cannot do. Each thing is tried by a real server, which says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from preamp.build.sandbox import Network
from preamp.compute.network import own_addresses
from tests.integration.compute.support import Site, new_site, parsed, running

pytestmark = pytest.mark.needs("bwrap", "node")

PROBE = """
const fs = require("node:fs"), net = require("node:net"), http = require("node:http");
const attempt = (work) => { try { return ["ok", work()]; } catch (error) { return [error.code, null]; } };
const connect = (host, port) => new Promise((resolve) => {
  const socket = net.connect({ host, port, timeout: 3000 });
  socket.on("connect", () => { socket.destroy(); resolve("connected"); });
  socket.on("timeout", () => { socket.destroy(); resolve("ETIMEDOUT"); });
  socket.on("error", (error) => resolve(error.code));
});
http.createServer(async (request, response) => {
  const query = new URL(request.url, "http://site").searchParams;
  const path = query.get("path");
  const found = {
    read: path && attempt(() => fs.readFileSync(path, "utf8").slice(0, 40)),
    list: path && attempt(() => fs.readdirSync(path)),
    write: query.has("write") && attempt(() => fs.writeFileSync(query.get("write"), "x")),
    fill: query.has("fill") && attempt(() => {
      const block = Buffer.alloc(8 << 20, 1);
      for (let n = 0; n < 80; n++) fs.appendFileSync(query.get("fill"), block);
    }),
    connect: query.has("host") && await connect(query.get("host"), Number(query.get("port"))),
    processes: fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).length,
    uid: process.getuid(),
  };
  response.end(JSON.stringify(found));
}).listen(3000);
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with new_site() as site:
        yield site


@contextlib.contextmanager
def listening(host: str) -> Iterator[int]:
    """A port of this machine that accepts whoever comes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        sock.listen()
        sock.settimeout(60)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock.accept()[0].close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield sock.getsockname()[1]
        sock.shutdown(socket.SHUT_RDWR)
        thread.join()


def ask(site: Site, *targets: str, **settings: Any) -> list[Any]:
    """The answers of one server."""

    async def main() -> list[Any]:
        release = site.release(PROBE)
        async with running(site, **settings) as it:
            return [parsed(await it.get(release, target)) for target in targets]

    return asyncio.run(main())


def test_files_of_the_machine(site: Site) -> None:
    secret = site.folder.root / "master.key"
    secret.write_bytes(b"k" * 32)
    paths = [secret, site.folder.root, "/root", "/home", "/etc/shadow", site.folder.compute_known]
    for path, answer in zip(paths, ask(site, *(f"/?path={path}" for path in paths)), strict=True):
        for how in ("read", "list"):
            assert answer[how][0] in {"ENOENT", "EACCES", "EISDIR", "ENOTDIR"}, (path, answer)


def test_other_releases(site: Site) -> None:
    async def main() -> None:
        other, release = site.release("// secret\n" + PROBE, serve=False), site.release(PROBE)
        async with running(site) as it:
            await it.get(other)
            [server] = it.host.running
            assert server.bundle is not None
            file = server.bundle.folder / "compute/default/index.cjs"
            assert file.read_text().startswith("// secret")
            seen = parsed(await it.get(release, f"/?path={file}"))
            assert seen["read"][0] == "ENOENT"
            assert parsed(await it.get(release, "/?path=/bundle/compute/default"))["list"] == [
                "ok",
                ["index.cjs"],
            ]
            slots = {server.slot for server in it.host.running}
            assert len(slots) == 2

    asyncio.run(main())


def test_writes(site: Site) -> None:
    allowed = ["/tmp/x"]
    refused = ["/x", "/bundle/x", "/bundle/compute/default/index.cjs", "/usr/x", "/etc/x", "/dev/x", "/run/x",
               "/var/tmp/x", "/dev/shm/x", "/workspace/x", "/preamp/relisten.cjs"]  # fmt: skip
    answers = ask(site, *(f"/?write={path}" for path in (*allowed, *refused)))
    for path, answer in zip((*allowed, *refused), answers, strict=True):
        assert (answer["write"][0] == "ok") is (path in allowed), (path, answer["write"])


def test_tmp_is_bounded_and_new_each_time(site: Site) -> None:
    [filled] = ask(site, "/?fill=/tmp/large", compute_memory_mb=2048)
    assert filled["fill"][0] == "ENOSPC"
    [again] = ask(site, "/?path=/tmp")
    assert again["list"] == ["ok", []]


def test_processes(site: Site) -> None:
    [answer] = ask(site, "/?path=/proc/1/environ")
    assert answer["processes"] == 2  # the sandbox's own and Node
    assert answer["uid"] not in {0, 65534}


def test_ports_of_this_machine_are_out_of_reach(site: Site) -> None:
    """Whatever the network is: outbound where pasta is there, else none."""
    hosts = ["127.0.0.1", "::1", *(str(one) for one in own_addresses() if not one.is_link_local)]
    for host in hosts:
        with listening(host) as port:
            socket.create_connection((host, port), timeout=5).close()  # it can be reached from here
            [answer] = ask(site, f"/?host={host}&port={port}")
            assert answer["connect"] in {"ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EACCES"}, host


@pytest.mark.needs("pasta")
def test_outbound_network(site: Site) -> None:
    """There is a way out; where it leads is not this machine's business."""

    async def main() -> None:
        release = site.release("""
            const os = require("node:os"), http = require("node:http");
            const answer = (_, response) => response.end(JSON.stringify(os.networkInterfaces()));
            http.createServer(answer).listen(3000);
        """)
        async with running(site) as it:
            assert it.host._machine.network.network is Network.JOINED
            assert set(parsed(await it.get(release))) > {"lo"}

    asyncio.run(main())


@pytest.mark.needs("pasta")
def test_credentials_of_the_machine_are_out_of_reach(site: Site) -> None:
    """Clouds tell them at a link-local address."""
    [answer] = ask(site, "/?host=169.254.169.254&port=80")
    assert answer["connect"] == "EHOSTUNREACH"


def test_no_network(site: Site) -> None:
    with listening("127.0.0.1") as port:
        [answer] = ask(site, f"/?host=127.0.0.1&port={port}", compute_network="none")
    assert answer["connect"] == "ECONNREFUSED"


def test_the_shared_network_is_shared(site: Site) -> None:
    """What was asked for; it also shows that the tests above can fail."""
    with listening("127.0.0.1") as port:
        [answer] = ask(site, f"/?host=127.0.0.1&port={port}", compute_network="shared")
    assert answer["connect"] == "connected"
