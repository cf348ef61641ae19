"""A MaxMind-format file with countries of networks, small and without the library that makes them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"


@dataclass(frozen=True)
class _Number:
    kind: int
    """Of the format: 5 has 16 bits, 6 has 32, 9 has 64."""
    value: int


def write_mmdb(path: Path, countries: Mapping[str, str]) -> Path:
    """IPv4 networks are put at `::/96`, where readers look for them."""
    data = bytearray()
    records: dict[str, int] = {}
    for code in countries.values():
        if code not in records:
            records[code] = len(data)
            data += _encoded({"country": {"iso_code": code}})
    nodes: list[list[Any]] = [[None, None]]
    for network, code in countries.items():
        parsed = ipaddress.ip_network(network)
        bits = f"{int(parsed.network_address):0{parsed.max_prefixlen}b}"[: parsed.prefixlen]
        bits = "0" * (128 - parsed.max_prefixlen) + bits
        node = 0
        for bit in bits[:-1]:
            child = nodes[node][int(bit)]
            if child is None:
                nodes.append([None, None])
                child = nodes[node][int(bit)] = len(nodes) - 1
            node = child
        nodes[node][int(bits[-1])] = code
    count = len(nodes)

    def pointer(value: Any) -> bytes:
        if value is None:
            number = count
        elif isinstance(value, str):
            number = count + 16 + records[value]
        else:
            number = value
        return int(number).to_bytes(4, "big")

    tree = b"".join(pointer(left) + pointer(right) for left, right in nodes)
    metadata = {
        "node_count": _Number(6, count),
        "record_size": _Number(5, 32),
        "ip_version": _Number(5, 6),
        "database_type": "Test-Country",
        "languages": ["en"],
        "binary_format_major_version": _Number(5, 2),
        "binary_format_minor_version": _Number(5, 0),
        "build_epoch": _Number(9, 1),
        "description": {"en": "test"},
    }
    path.write_bytes(tree + bytes(16) + data + _MARKER + _encoded(metadata))
    return path


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return _control(2, len(raw)) + raw
    if isinstance(value, _Number):
        raw = value.value.to_bytes((value.value.bit_length() + 7) // 8, "big")
        return _control(value.kind, len(raw)) + raw
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(
            _encoded(key) + _encoded(item) for key, item in value.items()
        )
    assert isinstance(value, list)
    return _control(11, len(value)) + b"".join(map(_encoded, value))


def _control(kind: int, size: int) -> bytes:
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
