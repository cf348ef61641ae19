"""An S3 service of one's own: OpenStack Swift's, which checks signatures as Amazon's does."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

WAIT_SECONDS = 60.0
USER, SECRET = "test:tester", "testing"
KINDS = ("account", "container", "object")
_RINGS = """
from swift.common.ring import RingBuilder
for kind, port in {rings!r}.items():
    builder = RingBuilder(6, 1, 0)
    builder.add_dev(dict(region=1, zone=1, ip="127.0.0.1", port=port, device="d1", weight=1))
    builder.rebalance()
    builder.get_ring().save({root!r} + "/" + kind + ".ring.gz")
"""


@dataclass
class Swift:
    """Four processes: the proxy, which speaks S3, and one server for each kind of thing."""

    host: str = "127.0.0.1"
    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="preamp-s3-")))
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: Sequence[int] = ()
    """Of the proxy, then of the servers behind it."""

    def create(self) -> None:
        self.ports = ports = free_ports(4)
        (self.root / "disks" / "d1").mkdir(parents=True)
        (self.root / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = preamp\n")
        for kind, port in zip(KINDS, ports[1:], strict=True):
            (self.root / f"{kind}.conf").write_text(
                f"[DEFAULT]\n{self._common(port, '127.0.0.1')}\ndevices = {self.root / 'disks'}\n"
                f"mount_check = false\nrecon_cache_path = {self.root}\nfallocate_reserve = 0\n"
                f"[pipeline:main]\npipeline = {kind}-server\n"
                f"[app:{kind}-server]\nuse = egg:swift#{kind}\n"
            )
        script = _RINGS.format(root=str(self.root), rings=dict(zip(KINDS, ports[1:], strict=True)))
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (self.root / "proxy.conf").write_text(
            f"[DEFAULT]\n{self._common(self.port, self.host)}\n"
            "[pipeline:main]\n"
            "pipeline = catch_errors cache listing_formats s3api tempauth copy slo dlo proxy-server\n"
            "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
            # Else it shuns its own servers for a minute when it was quicker to start than they.
            "error_suppression_limit = 1000000000\n"
            "[filter:catch_errors]\nuse = egg:swift#catch_errors\n"
            "[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:1\n"
            "[filter:listing_formats]\nuse = egg:swift#listing_formats\n"
            "[filter:s3api]\nuse = egg:swift#s3api\nallow_multipart_uploads = true\ns3_acl = false\n"
            f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = {SECRET} .admin\n"
            "[filter:copy]\nuse = egg:swift#copy\n[filter:slo]\nuse = egg:swift#slo\n"
            "[filter:dlo]\nuse = egg:swift#dlo\n"
        )

    def _common(self, port: int, host: str) -> str:
        user = pwd.getpwuid(os.geteuid()).pw_name
        return (
            f"bind_ip = {host}\nbind_port = {port}\nworkers = 0\nuser = {user}\nswift_dir = {self.root}\n"
            "log_level = CRITICAL\nlog_address = /dev/null\neventlet_debug = false"
        )

    def start(self) -> None:
        """Returns when the service answers; what it holds stays over restarts."""
        with (self.root / "log").open("ab") as log:
            for kind in ("proxy", *KINDS):
                self.processes.append(
                    subprocess.Popen(
                        [_tool(f"swift-{kind}-server"), str(self.root / f"{kind}.conf"), "-v"],
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        env={**os.environ, "PYTHONWARNINGS": "ignore"},
                    )
                )
        deadline = time.monotonic() + WAIT_SECONDS
        # The proxy says "too busy" while a server behind it is not there yet.
        while not (all(map(_listens, self.ports[1:])) and self._answers()):
            log_text = (self.root / "log").read_text(errors="replace")
            assert all(process.poll() is None for process in self.processes), log_text[-3000:]
            assert time.monotonic() < deadline, log_text[-3000:]
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.client().list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=USER,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def new_bucket(self, name: str) -> str:
        self.client().create_bucket(Bucket=name)
        return name

    def refuse(self) -> None:
        """Nothing listens any more; what is stored stays."""
        self.stop()

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait(WAIT_SECONDS)
        self.processes.clear()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def free_ports(count: int) -> Sequence[int]:
    """Ports that nothing listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
