"""Static files: Preamp's edge against nginx from Debian, interleaved, with wrk.

`PREAMP_BENCH_SECONDS` (default 3) is the length of one measurement, `PREAMP_BENCH_ROUNDS` (default 3) how
many there are of each; medians are shown.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.edge.servers import Server, client_cpus, nginx, preamp_edge
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
        Load("404 page", "/nothing", 404),
        Load("1 of 10,000 redirects", "/old/7777", 301),
    ]


def measure(server: Server, load: Load, site: Site) -> Sample:
    headers = [f"Host: {HOST}", *load.headers]
    if load.status == 304:
        headers.append(f"If-None-Match: {_etag(server, load)}")
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
    for program in ("wrk", "taskset", "nginx"):
        need(program)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = make_site(folder)
        with preamp_edge(site) as ours, nginx(site, folder) as theirs:
            rows = []
            for load in loads(site):
                samples: dict[str, list[Sample]] = {ours.name: [], theirs.name: []}
                for _ in range(ROUNDS):
                    for server in (ours, theirs):
                        samples[server.name].append(measure(server, load, site))
                rows.append(_row(load, samples[ours.name], samples[theirs.name]))
            table(
                f"2 processes each, {CONNECTIONS} connections, medians of {ROUNDS} x {SECONDS} s",
                [
                    "",
                    "preamp req/s",
                    "nginx req/s",
                    "ratio",
                    "p99 ms",
                    "nginx p99",
                    "CPU us/req",
                    "nginx CPU",
                ],
                rows,
            )
            table(
                "Memory after the run",
                ["", "MB"],
                [[server.name, server.memory_mb()] for server in (ours, theirs)],
            )


def _row(load: Load, ours: list[Sample], theirs: list[Sample]) -> list[object]:
    rate, other = (median([sample.rate for sample in samples]) for samples in (ours, theirs))
    return [
        load.name,
        f"{rate:,.0f}",
        f"{other:,.0f}",
        rate / other,
        *(median([sample.p99_ms for sample in samples]) for samples in (ours, theirs)),
        *(median([sample.cpu_us for sample in samples]) for samples in (ours, theirs)),
    ]


if __name__ == "__main__":
    main()
