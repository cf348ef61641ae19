"""The kinds of processes, and what the parent hands to each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from preamp.settings import Settings


class Role(StrEnum):
    CONTROL = "control"  # the API and presigned files
    WORKER = "worker"  # runs jobs
    EDGE = "edge"  # serves sites
    COMPUTE = "compute"  # runs the servers of releases


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """What a child reads from its standard input."""

    settings: str
    """JSON of the settings, so that flags reach the child as the parent understood them."""
    listen_fd: int | None
    """The listening socket, bound by the parent: a restart of the child refuses no connection."""
    ready_fd: int | None
    """Gets one byte when the child serves."""
    parent_pid: int
    edge_port: int
    """The port that sites are reached at, for URLs."""

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Orders:
        return msgspec.json.decode(data, type=cls)

    def read_settings(self) -> Settings:
        return Settings.model_validate_json(self.settings)
