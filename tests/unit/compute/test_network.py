from __future__ import annotations

from pathlib import Path

import pytest

from preamp.compute import network
from preamp.compute.nodes import distance

FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
Local:
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 203.0.113.0/24 2 0 2
        |-- 203.0.113.7
           /32 host LOCAL
        |-- 203.0.113.255
           /32 link BROADCAST
"""


def test_addresses_of_this_machine() -> None:
    assert [str(address) for address in network._ipv4(FIB_TRIE.splitlines())] == ["127.0.0.1", "203.0.113.7"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 127.0.0.53\noptions edns0\nsearch lan\n", "options edns0\nsearch lan\n"),
        ("nameserver ::1\n", ""),
        ("# nothing\n", ""),
        ("nameserver 203.0.113.9\n", None),
        ("nameserver 127.0.0.53\nnameserver 2001:db8::1\n", None),
    ],
)
def test_a_resolver_that_servers_could_not_reach_is_replaced(
    text: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_text

    def read_text(path: Path, *arguments: str) -> str:
        return text if str(path) == "/etc/resolv.conf" else real(path, *arguments)

    monkeypatch.setattr(Path, "read_text", read_text)
    whole = None if expected is None else f"nameserver {network.DNS}\n{expected}"
    assert network.resolv_conf() == whole
    # pasta forges the sender of its answers, so that only a resolver that is replaced may be forwarded to
    assert bool(network._dns()) is (whole is not None)


def test_the_nearest_node() -> None:
    there = ["18.20.1", "20.1.0", "24.0.0"]
    assert min(there, key=lambda version: distance(version, "22")) == "24.0.0"
    assert min(there, key=lambda version: distance(version, "16")) == "18.20.1"
    assert min(there, key=lambda version: distance(version, None)) == "24.0.0"
