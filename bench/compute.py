"""Servers of releases: a first answer from cold, and what one that rests holds, against plain Node.

Cold: the first page after the server was stopped for want of visitors, seen from a visitor: unpacked files,
sandbox, network, Node, one request through the edge. The yardstick starts `node` on the same program by hand
and asks it until it answers. Both alternate. Memory is proportional (what processes share is divided among
them), of several servers of one program that rest.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.edge.servers import free_port
from bench.job import milliseconds
from bench.report import need, table
from preamp.build.watchdog import memory_of
from preamp.compute.machinery import MEMORY_SECONDS
from tests.support.compute import manifest, target
from tests.support.preamp import Preamp, fetch, running, until, wait_for_job
from tests.support.ssr import node_processes, zipped

ROUNDS = 10
SERVERS = 4
IDLE_SECONDS = 1.0
PROGRAM = """
const http = require("node:http");
const answer = (request, response) => response.end("x".repeat(1024));
http.createServer(answer).listen(process.env.PORT || 3000);
"""


def main() -> None:
    node = need("node")
    need("bwrap")
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
        folder = Path(temporary)
        program = folder / "index.js"
        program.write_text(PROGRAM)
        with running(folder / "cold", PREAMP_COMPUTE_IDLE_SECONDS=str(IDLE_SECONDS)) as preamp:
            cold_starts(preamp, node, program)
        with running(folder / "idle") as preamp:
            memory_at_rest(preamp, node, program)


def cold_starts(preamp: Preamp, node: str, program: Path) -> None:
    assert preamp.process is not None
    host, serving = deployed(preamp), preamp.process.pid
    page(preamp.edge, host)  # what runs the servers gets ready with the first one
    ours, by_hand = [], []
    for _ in range(ROUNDS):
        until(lambda: not node_processes(serving), "the server to be stopped")
        ours.append(timed(lambda: page(preamp.edge, host)))
        with bare(node, program) as (_, took):
            by_hand.append(took)
    found, yardstick = milliseconds(ours), milliseconds(by_hand)
    table(
        f"Cold start until the first page, ms, {ROUNDS} alternating rounds",
        ("", "p50", "p90", "min"),
        [
            ("through the edge", *found),
            ("node by hand", *yardstick),
            ("ratio", *(one / other for one, other in zip(found, yardstick, strict=True))),
        ],
    )


def memory_at_rest(preamp: Preamp, node: str, program: Path) -> None:
    hosts = [deployed(preamp) for _ in range(SERVERS)]
    for host in hosts:
        page(preamp.edge, host)
    with contextlib.ExitStack() as stack:
        by_hand = [stack.enter_context(bare(node, program))[0] for _ in range(SERVERS)]
        time.sleep(MEMORY_SECONDS + 1)  # it is looked at now and then
        assert metric(preamp, "preamp_compute_servers") == SERVERS, "some do not run"
        ours = metric(preamp, "preamp_compute_memory_bytes") / SERVERS / 1e6
        plain = sum(map(memory_of, by_hand)) / SERVERS / 1e6
    table(
        f"Memory of one of {SERVERS} servers at rest, MB, proportional",
        ("preamp, sandbox and network included", "node by hand", "ratio"),
        [(ours, plain, ours / plain)],
    )


def deployed(preamp: Preamp) -> str:
    """The host of a new app with the program."""
    client: Any = preamp.client()
    app_id = client.create_app(name="bench", platform="WEB_COMPUTE")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    created = client.create_deployment(appId=app_id, branchName="main")
    files = {
        "deploy-manifest.json": json.dumps(manifest({"path": "/*", "target": target("Compute")})),
        "compute/default/index.js": PROGRAM,
    }
    upload = urllib.request.Request(created["zipUploadUrl"], data=zipped(files), method="PUT")
    urllib.request.urlopen(upload).close()
    client.start_deployment(appId=app_id, branchName="main", jobId=created["jobId"])
    job = wait_for_job(client, app_id, "main", created["jobId"])
    assert job["summary"]["status"] == "SUCCEED", job
    return f"main.{app_id}.{preamp.address()['site_domain']}"


@contextlib.contextmanager
def bare(node: str, program: Path) -> Iterator[tuple[int, float]]:
    """The program by hand: its pid, and seconds until it had answered."""
    port = free_port()
    began = time.perf_counter()
    child = subprocess.Popen([node, program], env={"PORT": str(port)})
    try:
        while True:
            try:
                page(f"127.0.0.1:{port}", "localhost")
            except ConnectionRefusedError:
                time.sleep(0.001)
            else:
                break
        yield child.pid, time.perf_counter() - began
    finally:
        child.terminate()
        child.wait(20)


def page(netloc: str, host: str) -> None:
    status, body = fetch(netloc, host, "/")
    assert (status, len(body)) == (200, 1024), (status, body)


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def metric(preamp: Preamp, name: str) -> float:
    with urllib.request.urlopen(f"{preamp.control_url}/_preamp/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)


if __name__ == "__main__":
    main()
