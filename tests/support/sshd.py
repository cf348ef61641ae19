"""A real ssh server on loopback, with keys and a configuration of its own, for the user of the tests."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import find_tool

CONFIG = """ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


class SshServer:
    """`run` as often as you like; it stays at one port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (folder / "config").write_text(CONFIG.format(port=self.port, folder=folder))
        self.new_host_key()

    @property
    def url(self) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    def new_host_key(self) -> None:
        (self.folder / "host_key").unlink(missing_ok=True)
        new_key(self.folder / "host_key")

    def allow(self, key: Path) -> None:
        (self.folder / "authorized").write_text(f"restrict {key.with_suffix('.pub').read_text()}")

    @contextmanager
    def run(self) -> Iterator[None]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # the server of root insists on it
        server = find_tool("sshd")
        assert server is not None, "the test is marked with needs"
        log = self.folder / "log"
        process = subprocess.Popen([server, "-D", "-f", self.folder / "config", "-E", log])
        try:
            self._wait(process, log)
            yield
        finally:
            process.terminate()
            process.wait(10)

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        for _ in range(500):
            assert process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(log.read_text())


def new_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True)
    return path
