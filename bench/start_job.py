"""StartJob: how many jobs a second are accepted durably, one by one, each on a branch of its own.

Only the control process runs, so that nothing is built meanwhile. An answer means that the job survives a
power cut; afterwards every accepted job is looked up in the database. The floor is what the disk allows: the
same database driver inserting one row per transaction, with as many rows and no server.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from botocore.credentials import Credentials
from sqlalchemy import func, select

from bench.processes import wait_until_answers
from bench.report import percentile, table
from bench.wrk import CONNECTIONS, Request, signed
from preamp.model.branches import BranchConfig
from preamp.model.times import now_ms
from preamp.store.branches import insert_branch
from preamp.store.database import open_sqlite
from preamp.store.tables import jobs
from tests.support.preamp import Preamp, running

JOBS = 2000
ROUNDS = 3


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
        data = Path(temporary) / "data"
        with running(data) as preamp:
            client = preamp.client()
            apps = [
                client.create_app(name=str(number), repository="https://git.example/site.git")["app"]["appId"]
                for number in range(ROUNDS)
            ]
            variables = preamp.variables()
        for app_id in apps:
            add_branches(data, app_id)
        rows = []
        with control_only(preamp) as url:
            for app_id in apps:
                requests = [start_job(url, app_id, number, variables) for number in range(JOBS)]
                took, seconds = asyncio.run(send_all(url, requests))
                rows.append((JOBS / seconds, took))
        check(data, JOBS * ROUNDS)
        floors = [JOBS / bare_inserts(Path(temporary) / f"floor-{number}.db") for number in range(ROUNDS)]
    rate, took = max(rows)
    table(
        f"StartJob on {JOBS:,} branches, {CONNECTIONS} connections, best of {ROUNDS} rounds",
        ("", "a second", "p50 ms", "p99 ms"),
        [
            ("durable acknowledgements", rate, percentile(took, 50) * 1000, percentile(took, 99) * 1000),
            ("bare durable inserts (floor)", max(floors), "", ""),
        ],
    )


def add_branches(data: Path, app_id: str) -> None:
    database = open_sqlite(data / "preamp.db")
    try:
        with database.write() as tx:
            for number in range(JOBS):
                insert_branch(
                    tx.conn,
                    app_id=app_id,
                    name=f"b{number}",
                    label=f"b{number}",
                    config=BranchConfig(),
                    tags={},
                    now=now_ms(),
                )
    finally:
        database.close()


@contextmanager
def control_only(preamp: Preamp) -> Iterator[str]:
    command = [sys.executable, "-m", "preamp", "control", "--data", str(preamp.data)]
    process = subprocess.Popen([*command, "--control", preamp.control])
    url = f"http://{preamp.control}"
    try:
        wait_until_answers(f"{url}/_preamp/health", process)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def start_job(url: str, app_id: str, number: int, variables: dict[str, str]) -> bytes:
    """The bytes of a signed StartJob."""
    request = signed(
        Request(
            url=f"{url}/apps/{app_id}/branches/b{number}/jobs",
            method="POST",
            headers={"Content-Type": "application/json"},
            body='{"jobType":"RELEASE"}',
        ),
        Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]),
        service="amplify",
        region=variables["AWS_DEFAULT_REGION"],
    )
    headers = {**request.headers, "Content-Length": str(len(request.body))}
    lines = [f"POST {urlsplit(request.url).path} HTTP/1.1", *(f"{name}: {v}" for name, v in headers.items())]
    return "\r\n".join([*lines, "", request.body]).encode()


async def send_all(url: str, requests: list[bytes]) -> tuple[list[float], float]:
    """The seconds that each took, and all together."""
    waiting = iter(requests)
    took: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_connection(url, waiting, took) for _ in range(CONNECTIONS)))
    assert len(took) == len(requests)
    return took, time.perf_counter() - began


async def _connection(url: str, waiting: Iterator[bytes], took: list[float]) -> None:
    host, port = urlsplit(url).netloc.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request in waiting:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        body = await reader.readexactly(length)
        assert head.startswith(b"HTTP/1.1 200"), head + body
        took.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()


def check(data: Path, expected: int) -> None:
    """Every acknowledged job is there."""
    database = open_sqlite(data / "preamp.db")
    try:
        with database.read() as conn:
            assert conn.scalar(select(func.count()).select_from(jobs)) == expected
    finally:
        database.close()


def bare_inserts(path: Path) -> float:
    """Seconds for as many transactions of one row."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    conn.execute("CREATE TABLE jobs (branch_id INTEGER, number INTEGER, commit_id TEXT)")
    began = time.perf_counter()
    for number in range(JOBS):
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("INSERT INTO jobs VALUES (?, 1, 'HEAD')", (number,))
        conn.execute("COMMIT")
    took = time.perf_counter() - began
    conn.close()
    return took


if __name__ == "__main__":
    main()
