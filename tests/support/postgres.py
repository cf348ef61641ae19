"""A PostgreSQL server of one's own: a folder among the temporary ones, a unix socket, a port if wanted."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.conftest import find_tool

WAIT_SECONDS = 60.0


@dataclass
class Postgres:
    """A server that runs as an ordinary user, as it insists on. `durable`: commits survive kill -9 of it."""

    durable: bool = False
    port: int | None = None
    """None: only the socket."""
    host: str = "127.0.0.1"
    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="preamp-pg-")))
    process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        self.root.chmod(0o700)
        if (owner := _server_user()) is not None:
            shutil.chown(self.root, *owner)
        command = [_tool("initdb"), "-D", str(self.data), "-U", "preamp", "-A", "trust", "-E", "UTF8"]
        # Any other order of texts than that of their bytes would show in lists.
        done = subprocess.run(
            [*_as_owner(), *command, "--locale=C.UTF-8", "--no-sync"], capture_output=True, cwd=self.root
        )
        assert done.returncode == 0, done.stderr.decode()
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {self.host}/24 trust\n")

    @property
    def data(self) -> Path:
        return self.root / "data"

    def start(self) -> None:
        """Returns when it takes connections."""
        settings = {
            "unix_socket_directories": str(self.root),
            "listen_addresses": self.host if self.port else "",
            "port": str(self.port or 5432),
            "max_connections": "200",
            "fsync": "on" if self.durable else "off",
            "synchronous_commit": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
            "shared_buffers": "64MB",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_as_owner(), _tool("postgres"), "-D", str(self.data), *flags],
                stdout=log,
                stderr=log,
                cwd=self.root,
                start_new_session=True,
            )
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.answers():
            text = (self.root / "log").read_text(errors="replace")
            assert self.process.poll() is None, text[-3000:]
            assert time.monotonic() < deadline, text[-3000:]
            time.sleep(0.02)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, *, hard: bool = False) -> None:
        """Close every connection; `hard`: as a crash does."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGQUIT if hard else signal.SIGINT)
        self.process.wait(WAIT_SECONDS)
        self.process = None

    def remove(self) -> None:
        self.stop(hard=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def url(self, name: str) -> str:
        """For processes on this machine."""
        return f"postgresql://preamp@/{name}?host={self.root}&port={self.port or 5432}"

    def tcp_url(self, name: str) -> str:
        return f"postgresql://preamp@{self.host}:{self.port}/{name}"

    def new_database(self) -> str:
        """The name of a fresh, empty database."""
        name = f"t{secrets.token_hex(8)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name}")
        return name


def _tool(name: str) -> str:
    found = find_tool(name)
    assert found is not None, f"{name} is missing; the test should carry needs('{name}')"
    return found


def _server_user() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _as_owner() -> Sequence[str]:
    owner = _server_user()
    if owner is None:
        return ()
    return (_tool("setpriv"), f"--reuid={owner[0]}", f"--regid={owner[1]}", "--clear-groups")
