"""A whole deployment on many machines, as processes of one: PostgreSQL, S3, control, workers, edges."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from preamp.model.keys import Key
from preamp.settings import Settings
from preamp.store import keys
from preamp.store.database import Database
from preamp.store.stores import load_master, open_database
from tests.support.networks import Network, may_make_networks
from tests.support.postgres import Postgres
from tests.support.preamp import fetch, until
from tests.support.swift import SECRET, USER, Swift, free_ports

SITE_DOMAIN = "localhost"
RESTART_SECONDS = 0.3


@dataclass
class Member:
    """One process of the cluster, started again whenever it ends, as a service manager would."""

    role: str
    name: str
    data: Path
    command: list[str]
    environment: Mapping[str, str]
    port: int | None = None
    network: str | None = None
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True
    starts: int = 0

    def keep_running(self, over: threading.Event) -> None:
        while not over.is_set():
            if self.wanted and (self.process is None or self.process.poll() is not None):
                self.start()
            over.wait(RESTART_SECONDS)

    def start(self) -> None:
        self.starts += 1
        with (self.data.parent / f"{self.name}.log").open("ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def is_ready(self) -> bool:
        running = self.process is not None and self.process.poll() is None
        return running and " is ready" in self.log().rpartition("--- start ")[2]

    def log(self) -> str:
        file = self.data.parent / f"{self.name}.log"
        return file.read_text(errors="replace") if file.exists() else ""


@dataclass
class Cluster:
    """`folder` is a temporary one. Everything is removed by `running_cluster`."""

    folder: Path
    postgres: Postgres
    swift: Swift
    network: Network | None
    lease_seconds: int
    settings: Settings
    members: list[Member] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def of_role(self, role: str) -> list[Member]:
        return [member for member in self.members if member.role == role]

    def add(
        self,
        role: str,
        *flags: str,
        port: int | None = None,
        network: str | None = None,
        module: Sequence[str] = ("preamp",),
    ) -> Member:
        """`module`: what Python runs, with its first arguments."""
        name = f"{role}{sum(thread.name.startswith(role) for thread in self.threads) + 1}"
        data = self.folder / name
        address = ("--control" if role == "control" else "--edge", f"127.0.0.1:{port}") if port else ()
        inside = self.network.inside(network) if network and self.network else []
        member = Member(
            role=role,
            name=name,
            data=data,
            command=[*inside, sys.executable, "-m", *module, role, "--data", str(data), *address, *flags],
            environment=environment_of(self.settings),
            port=port,
            network=network,
        )
        self.members.append(member)
        thread = threading.Thread(target=member.keep_running, args=(self.over,), name=name)
        self.threads.append(thread)
        thread.start()
        return member

    def end(self, member: Member) -> None:
        """SIGTERM, and it is not started again."""
        member.wanted = False
        self.members.remove(member)
        member.signal(signal.SIGTERM)
        if member.process is not None:
            assert member.process.wait(60) == 0, member.log()[-3000:]

    def url(self, member: Member) -> str:
        return f"http://127.0.0.1:{member.port}"

    def wait_until_ready(self) -> None:
        """All of them, those that were just killed too."""
        for member in self.members:
            until(member.is_ready, f"{member.name}")

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = open_database(self.settings)
        database.patience_s = 30
        try:
            yield database
        finally:
            database.close()

    def administrator(self) -> Key:
        with self.database() as database, database.read() as conn:
            key = keys.first_administrator(conn, load_master(self.settings))
        assert key is not None
        return key

    def client(self, control: Member, key: Key, **options: Any) -> Any:
        return boto3.client(
            "amplify",
            endpoint_url=self.url(control),
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret,
            region_name="us-east-1",
            config=Config(
                **{"retries": {"total_max_attempts": 1}, **options}, connect_timeout=5, read_timeout=30
            ),
        )

    def page(self, edge: Member, app_id: str, label: str) -> tuple[int, bytes]:
        return fetch(f"127.0.0.1:{edge.port}", f"{label}.{app_id}.{SITE_DOMAIN}", "/")

    def stop(self) -> None:
        """SIGTERM to all, and wait."""
        self.over.set()
        for thread in self.threads:
            thread.join()
        for member in self.members:
            member.signal(signal.SIGCONT)
            member.signal(signal.SIGTERM)
        deadline = time.monotonic() + 60
        for member in self.members:
            if member.process is not None:
                began = time.monotonic()
                try:
                    member.process.wait(max(1.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    member.process.kill()
                    member.process.wait()
                    raise AssertionError(f"{member.name} did not end: {member.log()[-3000:]}") from None
                print(f"{member.name} ended in {time.monotonic() - began:.1f} s", flush=True)


def environment_of(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_defaults=True, exclude={"data"})
    return {f"PREAMP_{name.upper()}": str(value) for name, value in values.items()}


@contextmanager
def running_cluster(
    folder: Path,
    *,
    controls: int,
    workers: int,
    edges: int,
    lease_seconds: int = 6,
    slots: int = 4,
    namespaces: bool = True,
    **more: Any,
) -> Iterator[Cluster]:
    """All processes, ready. Workers are in network namespaces of their own where that is allowed."""
    network = Network() if namespaces and may_make_networks() else None
    host = "127.0.0.1"
    if network is not None:
        network.create()
        host = network.host
    postgres = Postgres(durable=True, port=free_ports(1)[0], host=host)
    swift = Swift(host=host)
    cluster: Cluster | None = None
    try:
        postgres.create()
        postgres.start()
        swift.create()
        swift.start()
        swift.new_bucket("preamp")
        settings = Settings(
            data=folder / "checks",
            database=postgres.tcp_url(postgres.new_database()),
            blobs="s3://preamp/cluster",
            blobs_endpoint=swift.url,
            blobs_access_key_id=USER,
            blobs_secret_access_key=SECRET,
            master_key=secrets.token_hex(32),
            lease_seconds=lease_seconds,
            site_domain=SITE_DOMAIN,
            worker_slots=slots,
            drain_seconds=1.0,
            **more,
        )
        cluster = Cluster(
            folder=folder,
            postgres=postgres,
            swift=swift,
            network=network,
            lease_seconds=lease_seconds,
            settings=settings,
        )
        ports = free_ports(controls + edges)
        for port in ports[:controls]:
            cluster.add("control", port=port)
        cluster.wait_until_ready()
        for _ in range(workers):
            cluster.add("worker", network=network.add() if network else None)
        for port in ports[controls:]:
            cluster.add("edge", port=port)
        cluster.wait_until_ready()
        yield cluster
    finally:
        try:
            if cluster is not None:
                cluster.stop()
        finally:
            swift.remove()
            postgres.remove()
            if network is not None:
                network.remove()
            shutil.rmtree(folder / "checks", ignore_errors=True)
