"""Starting the servers that are compared, each on the same two processors: two processes, or two threads."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvloop

from bench.edge.site import HOST, RULES, Site
from bench.environment import free_port
from bench.processes import cpu_seconds, pss_mb
from bench.report import need
from preamp.edge import app
from preamp.edge.server import EdgeConfig, serve
from preamp.edge.upstream.origin import Origin, split_url
from preamp.server.listen import listen_many
from preamp.store.blobs import LocalBlobs
from preamp.store.database import open_sqlite

PROCESSES = 2
MEMORY = 128 * 1024 * 1024


@dataclass
class Server:
    name: str
    port: int
    pids: list[int] = field(default_factory=list)

    def cpu_seconds(self) -> float:
        """Of all its processes, so far."""
        return sum(map(cpu_seconds, self.pids))

    def memory_mb(self) -> float:
        """Proportional set size: pages that processes share are counted once."""
        return sum(map(pss_mb, self.pids))


def server_cpus() -> set[int]:
    """Half of the processors; the load generator has the other half."""
    cpus = sorted(os.sched_getaffinity(0))
    return set(cpus[: max(1, len(cpus) // 2)])


def client_cpus() -> set[int]:
    rest = os.sched_getaffinity(0) - server_cpus()
    return rest or os.sched_getaffinity(0)


def nginx(site: Site, folder: Path) -> contextlib.AbstractContextManager[Server]:
    rules = "\n".join(f"    /old/{n} /new/{n};" for n in range(RULES))
    port = free_port()
    return running_nginx(folder, _NGINX.format(files=site.files, port=port, host=HOST, rules=rules), port)


def caddy(site: Site, folder: Path) -> contextlib.AbstractContextManager[Server]:
    rules = "\n".join(f"    /old/{n} /new/{n}" for n in range(RULES))
    port = free_port()
    return running_caddy(folder, _CADDY.format(files=site.files, rules=rules), port)


@contextlib.contextmanager
def preamp_edge(site: Site, **environment: str) -> Iterator[Server]:
    # Each process has a socket of its own on the same port, as in `preamp serve`.
    sockets = listen_many("127.0.0.1:0", PROCESSES, setting="edge")
    port = sockets[0].getsockname()[1]
    children = []
    try:
        for sock in sockets:
            sock.set_inheritable(True)
            command = [sys.executable, "-m", "bench.edge.servers", str(site.data), str(sock.fileno())]
            child = subprocess.Popen(command, pass_fds=[sock.fileno()], env={**os.environ, **environment})
            children.append(child)
            os.sched_setaffinity(child.pid, server_cpus())
            sock.close()
        wait(port)
        yield Server("preamp", port, [child.pid for child in children])
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(20)


@contextlib.contextmanager
def running_nginx(folder: Path, http: str, port: int) -> Iterator[Server]:
    """`http`: what is in its block `http` besides the log."""
    program = need("nginx")
    file = folder / "nginx.conf"
    file.write_text(_NGINX_MAIN.format(folder=folder, processes=PROCESSES) + http + "}\n")
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    child = subprocess.Popen([program, "-e", str(folder / "error.log"), "-c", str(file), *user])
    try:
        wait(port)
        workers = [
            int(pid) for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        ]
        for pid in workers:
            os.sched_setaffinity(pid, server_cpus())
        yield Server("nginx", port, workers)
    finally:
        child.terminate()
        child.wait(20)


@contextlib.contextmanager
def running_caddy(folder: Path, site: str, port: int) -> Iterator[Server]:
    """`site`: what is in the block of its site."""
    program = need("caddy")
    file = folder / "Caddyfile"
    file.write_text(_CADDY_MAIN.format(port=port) + site + "}\n")
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [program, "run", "--config", str(file), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("wb") as log:
        child = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, **home, "GOMAXPROCS": str(PROCESSES)},
            preexec_fn=lambda: os.sched_setaffinity(0, server_cpus()),  # noqa: PLW1509 (before its threads)
        )
    try:
        wait(port)
        yield Server("caddy", port, [child.pid])
    finally:
        child.terminate()
        child.wait(20)


def wait(port: int) -> None:
    """Until the file that every server has is served."""
    end = time.monotonic() + 20
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/1k.bin", headers={"Host": HOST})
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise RuntimeError("a server does not answer")
        time.sleep(0.05)


_NGINX_MAIN = """
worker_processes {processes};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  log_format lines '$time_iso8601,$bytes_sent,$remote_addr,$request_method,$host,$uri,$status,$http_referer,'
    '$http_user_agent,$args,$http_cookie,$request_length,$request_time,$remote_port,$sent_http_content_type';
  access_log {folder}/access.log lines buffer=64k flush=1s;
  server_tokens off;
  keepalive_requests 100000000;
"""

_NGINX = r"""
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 75s;
  open_file_cache max=1000 inactive=60s;
  open_file_cache_valid 60s;
  gzip_static on;
  types {{ application/octet-stream bin; text/html html; text/javascript js; }}
  charset utf-8;
  map_hash_max_size 65536;
  map_hash_bucket_size 128;
  map $http_accept_encoding $twin {{ default ""; "br" ".br"; }}
  map $http_accept_encoding $coding {{ default ""; "br" "br"; }}
  map $uri $moved {{
    default "";
{rules}
  }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    server_name {host};
    root {files};
    error_page 404 /404.html;
    if ($moved) {{ return 301 $moved; }}
    add_header Cache-Control "public, max-age=0, s-maxage=31536000" always;
    location ~ \.js$ {{
      types {{ text/javascript js br; }}
      add_header Cache-Control "public, max-age=0, s-maxage=31536000" always;
      add_header Content-Encoding $coding;
      add_header Vary Accept-Encoding;
      if ($twin) {{ rewrite ^ $uri$twin break; }}
    }}
    location / {{ try_files $uri $uri.html $uri/index.html =404; }}
  }}
"""


_CADDY_MAIN = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
"""

_CADDY = """
  root * {files}
  handle /old/* {{
    map {{path}} {{moved}} {{
{rules}
      default ""
    }}
    redir {{moved}} permanent
  }}
  header Cache-Control "public, max-age=0, s-maxage=31536000"
  try_files {{path}} {{path}}.html {{path}}/index.html
  file_server {{
    precompressed br gzip
  }}
  handle_errors {{
    rewrite * /404.html
    file_server {{
      status 404
    }}
  }}
"""


def _dial(path: str) -> None:
    """Let rules to the host `unix.test` lead to a unix socket, as requests to servers of releases do."""

    def split(url: str) -> tuple[Origin, str]:
        origin, target = split_url(url)
        return (replace(origin, socket_path=path) if origin.host == "unix.test" else origin), target

    app.split_url = split  # type: ignore[attr-defined]


async def _serve(data: Path, descriptor: int) -> None:
    database = open_sqlite(data / "preamp.db", read_only=True)
    config = EdgeConfig(
        database=database,
        blobs=LocalBlobs(data / "blobs"),
        changes=database.bell,
        site_domain="localhost",
        memory_bytes=MEMORY,
        images=data / "optimised",
        access_logs=data / "access",
        proxy_networks=("127.0.0.0/8",),
    )
    if path := os.environ.get("PREAMP_BENCH_SOCKET"):
        _dial(path)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(15, stop.set)
    await serve(config, [socket.socket(fileno=descriptor)], stop)


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
