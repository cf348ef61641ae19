"""Forwarding to one Node server: Preamp against nginx and Caddy, over TCP and a unix socket; WebSocket too.

The Node server is on the load generator's processors and is itself the limit: `direct` is what it gives
without a proxy. `PREAMP_BENCH_SECONDS` and `PREAMP_BENCH_ROUNDS` as for the bench of static files.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.edge.run import CONNECTIONS, ROUNDS, SECONDS, Load, Sample, rounds, wrk
from bench.edge.servers import Server, client_cpus, preamp_edge, running_caddy, running_nginx
from bench.edge.site import HOST, Site, make_site
from bench.environment import free_port
from bench.report import need, table
from preamp.model.apps import CustomRule

WAYS = ("tcp", "unix")


@contextlib.contextmanager
def node(port: int, path: Path) -> Iterator[Server]:
    script = Path(__file__).with_name("upstream.js")
    child = subprocess.Popen([need("node"), script, str(port), str(path)], stdout=subprocess.PIPE, text=True)
    try:
        os.sched_setaffinity(child.pid, client_cpus())
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            raise RuntimeError("the Node server did not start")
        yield Server("direct", port, [child.pid])
    finally:
        child.terminate()
        child.wait(20)


def echoes(server: Server, target: str) -> Sample:
    """WebSocket messages in the place of requests."""
    cpus = ",".join(map(str, sorted(client_cpus())))
    command = ["taskset", "-c", cpus, sys.executable, "-m", "bench.edge.echo", str(server.port), HOST, target]
    before = server.cpu_seconds()
    done = subprocess.run(
        [*command, str(CONNECTIONS), str(SECONDS)], check=True, capture_output=True, text=True
    )
    rate = float(done.stdout)
    used = server.cpu_seconds() - before
    return Sample(rate=rate, p99_ms=0, cpu_us=used / max(1, rate * SECONDS) * 1e6)


def measure(server: Server, row: str, way: str) -> Sample:
    prefix = "" if server.name == "direct" else f"/{way}"
    if row == "WebSocket":
        return echoes(server, f"{prefix}/ws")
    return wrk(server, Load(row, f"{prefix}/page", 200), [f"Host: {HOST}"])


def main() -> None:
    for program in ("wrk", "taskset", "nginx", "caddy", "node"):
        need(program)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        port, path = free_port(), folder / "node.sock"
        direct = stack.enter_context(node(port, path))
        targets = {"tcp": f"http://127.0.0.1:{port}/<*>", "unix": "http://unix.test/<*>"}
        rules = tuple(CustomRule(source=f"/{way}/<*>", target=targets[way], status="200") for way in WAYS)
        site = make_site(folder, rules)
        servers = [
            stack.enter_context(preamp_edge(site, PREAMP_BENCH_SOCKET=str(path))),
            stack.enter_context(nginx(site, folder, port, path)),
            stack.enter_context(caddy(site, folder, port, path)),
            direct,
        ]
        for row, what in (("1 KB", "Requests"), ("WebSocket", "WebSocket messages")):
            found = [(way, rounds(servers, partial(measure, row=row, way=way))) for way in WAYS]
            _show(what, found)


def _show(what: str, rows: list[tuple[str, list[Sample]]]) -> None:
    where = f"{CONNECTIONS} connections, medians of {ROUNDS} x {SECONDS} s"
    table(
        f"{what} per second through 2 processors to one Node server; {where}",
        ["", "preamp", "nginx", "caddy", "direct (tcp)", "to nginx", "to caddy"],
        [
            [
                way,
                *(f"{each.rate:,.0f}" for each in found),
                *(found[0].rate / other.rate for other in found[1:3]),
            ]
            for way, found in rows
        ],
    )
    table(
        "p99, milliseconds, and processor seconds of the proxy for 1,000",
        ["", "preamp p99", "nginx p99", "caddy p99", "preamp CPU", "nginx CPU", "caddy CPU"],
        [
            [
                way,
                *(each.p99_ms or "-" for each in found[:3]),
                *(f"{each.cpu_us / 1000:.4f}" for each in found[:3]),
            ]
            for way, found in rows
        ],
    )


def nginx(site: Site, folder: Path, upstream: int, path: Path) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    http = _NGINX.format(files=site.files, port=port, upstream=upstream, path=path)
    return running_nginx(folder, http, port)


def caddy(site: Site, folder: Path, upstream: int, path: Path) -> contextlib.AbstractContextManager[Server]:
    site_block = _CADDY.format(files=site.files, upstream=upstream, path=path)
    return running_caddy(folder, site_block, free_port())


_NGINX = """
  upstream tcp {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  upstream unix {{ server unix:{path}; keepalive 64; keepalive_requests 100000000; }}
  map $http_upgrade $connection_header {{ default upgrade; "" ""; }}
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_header;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Host $host;
  proxy_set_header X-Forwarded-Proto $scheme;
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    root {files};
    location /tcp/ {{ proxy_pass http://tcp/; }}
    location /unix/ {{ proxy_pass http://unix/; }}
  }}
"""

_CADDY = """
  root * {files}
  handle_path /tcp/* {{
    reverse_proxy 127.0.0.1:{upstream}
  }}
  handle_path /unix/* {{
    reverse_proxy unix/{path}
  }}
  file_server
"""


if __name__ == "__main__":
    main()
