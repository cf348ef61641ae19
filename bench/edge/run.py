"""Static files: Preamp's edge against nginx and Caddy from Debian, interleaved, with wrk.

Preamp and nginx write their access logs, Caddy writes none, as it does by default.

`PREAMP_BENCH_SECONDS` (default 3) is the length of one measurement, `PREAMP_BENCH_ROUNDS` (default 3) how
many there are of each; medians are shown.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.edge.rules import rule_costs
from bench.edge.servers import Server, caddy, client_cpus, nginx, preamp_edge
from bench.edge.site import HOST, Site, make_site
from bench.report import median, need, table

SECONDS = int(os.environ.get("PREAMP_BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("PREAMP_BENCH_ROUNDS", "3"))
CONNECTIONS = 64


@dataclass(frozen=True)
class Sample:
    rate: float
    """Requests per second."""
    p99_ms: float
    cpu_us: float
    """Microseconds of the server's processors for each request."""


@dataclass(frozen=True)
class Load:
    name: str
    target: str
    status: int
    headers: tuple[str, ...] = ()


def loads(site: Site) -> list[Load]:
    return [
        Load("1 KB", "/1k.bin", 200),
        Load("304", "/1k.bin", 304),
        Load("50 KB", "/50k.bin", 200),
        Load("1 MB", "/1m.bin", 200),
        Load("gzip twin", "/app.js", 200, ("Accept-Encoding: gzip",)),
        Load("brotli twin", "/app.js", 200, ("Accept-Encoding: br",)),
        Load("404 page", "/nothing", 404),
        Load("1 of 10,000 redirects", "/old/7777", 301),
    ]


def measure(server: Server, load: Load, site: Site) -> Sample:
    headers = [f"Host: {HOST}", *load.headers]
    if load.status == 304:
        headers.append(f"If-None-Match: {_etag(server, load)}")
    return wrk(server, load, headers)


def wrk(server: Server, load: Load, headers: list[str]) -> Sample:
    """One run of wrk."""
    _check(server, load, headers)
    cpus = ",".join(map(str, sorted(client_cpus())))
    command = ["taskset", "-c", cpus, need("wrk"), "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
    command += [part for header in headers for part in ("-H", header)]
    before = server.cpu_seconds()
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{load.target}"], check=True, capture_output=True, text=True
    )
    used = server.cpu_seconds() - before
    count = int(_field(done.stdout, r"(\d+) requests in"))
    rate = float(_field(done.stdout, r"Requests/sec:\s+([\d.]+)"))
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()
    p99 = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return Sample(rate=rate, p99_ms=p99, cpu_us=used / max(1, count) * 1e6)


def _field(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk said:\n{text}")
    return match[1]


def _request(server: Server, load: Load, headers: list[str]) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", load.target, headers=dict(line.split(": ", 1) for line in headers))
    response = connection.getresponse()
    response.read()
    return response.status, {name.lower(): value for name, value in response.getheaders()}


def _etag(server: Server, load: Load) -> str:
    return _request(server, load, [f"Host: {HOST}"])[1]["etag"]


def _check(server: Server, load: Load, headers: list[str]) -> None:
    # What is measured has to be the answer that is meant, from each of the processes' memories too.
    for _ in range(8):
        status, _found = _request(server, load, headers)
        if status != load.status:
            raise RuntimeError(f"{server.name} answers {status} instead of {load.status} to {load.target}")


def main() -> None:
    for program in ("wrk", "taskset", "nginx", "caddy"):
        need(program)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = make_site(folder)
        with preamp_edge(site) as ours, nginx(site, folder) as second, caddy(site, folder) as third:
            servers = [ours, second, third]
            _show([(load, rounds(servers, partial(measure, load=load, site=site))) for load in loads(site)])
            table(
                "Memory after the run",
                ["", "MB"],
                [[server.name, server.memory_mb()] for server in servers],
            )
    table(
        "Rules: what a request costs that no prepared answer serves",
        ["rules", "us/decision", "seconds to compile"],
        rule_costs(),
    )


def rounds(servers: list[Server], measured: Callable[[Server], Sample]) -> list[Sample]:
    """The medians of each, measured in turns."""
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            samples[server.name].append(measured(server))
    return [_medians(samples[server.name]) for server in servers]


def _medians(samples: list[Sample]) -> Sample:
    return Sample(
        rate=median([sample.rate for sample in samples]),
        p99_ms=median([sample.p99_ms for sample in samples]),
        cpu_us=median([sample.cpu_us for sample in samples]),
    )


def _show(rows: list[tuple[Load, list[Sample]]]) -> None:
    where = f"2 processors each, {CONNECTIONS} connections, medians of {ROUNDS} x {SECONDS} s"
    table(
        f"Requests per second; {where}",
        ["", "preamp", "nginx", "caddy", "to nginx", "to caddy"],
        [
            [
                load.name,
                *(f"{sample.rate:,.0f}" for sample in found),
                *(found[0].rate / other.rate for other in found[1:]),
            ]
            for load, found in rows
        ],
    )
    table(
        "p99, milliseconds, and processor seconds for 1,000 requests",
        ["", "preamp p99", "nginx p99", "caddy p99", "preamp CPU", "nginx CPU", "caddy CPU"],
        [
            [
                load.name,
                *(sample.p99_ms for sample in found),
                *(f"{sample.cpu_us / 1000:.4f}" for sample in found),
            ]
            for load, found in rows
        ],
    )


if __name__ == "__main__":
    main()
