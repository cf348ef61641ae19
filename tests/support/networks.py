"""Network namespaces on a private bridge, so that one process can be cut off as if its cable was pulled."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from dataclasses import dataclass, field


def may_make_networks() -> bool:
    """Whether this user may; containers often forbid it to root as well."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"pp-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
        return False
    linked = subprocess.run(["ip", "link", "add", f"ppt{os.getpid()}", "type", "bridge"], capture_output=True)
    subprocess.run(["ip", "link", "del", f"ppt{os.getpid()}"], capture_output=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return linked.returncode == 0


@dataclass
class Network:
    """A bridge with the address `host`, and namespaces that reach it and each other."""

    tag: str = field(default_factory=lambda: f"{random.SystemRandom().randrange(1 << 20):05x}")
    subnet: str = field(default_factory=lambda: f"10.{random.SystemRandom().randrange(64, 250)}.77")
    names: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"{self.subnet}.1"

    @property
    def _bridge(self) -> str:
        return f"ppb{self.tag}"

    def create(self) -> None:
        ip("link", "add", self._bridge, "type", "bridge")
        ip("addr", "add", f"{self.host}/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")

    def add(self) -> str:
        """A new namespace; run programs in it by `inside`."""
        number = len(self.names) + 2
        name = f"pp{self.tag}-{number}"
        outer, inner = f"ppo{self.tag}{number}", f"ppi{self.tag}{number}"
        ip("netns", "add", name)
        self.names.append(name)
        ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        ip("link", "set", inner, "netns", name)
        ip("link", "set", outer, "master", self._bridge, "up")
        ip("-n", name, "addr", "add", f"{self.subnet}.{number}/24", "dev", inner)
        ip("-n", name, "link", "set", inner, "up")
        ip("-n", name, "link", "set", "lo", "up")
        return name

    def inside(self, name: str) -> list[str]:
        return ["ip", "netns", "exec", name]

    def cut(self, name: str) -> None:
        """Packets vanish; nobody is told."""
        ip("link", "set", f"ppo{self.tag}{self.names.index(name) + 2}", "down")

    def mend(self, name: str) -> None:
        ip("link", "set", f"ppo{self.tag}{self.names.index(name) + 2}", "up")

    def remove(self) -> None:
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
