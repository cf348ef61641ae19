"""The Node version that a manifest's `runtime` asks for, or the nearest."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from preamp.build.errors import ToolchainError
from preamp.build.toolchain import Node, Toolchains

RETRY_SECONDS = 600.0
"""After which a version that could not be had is asked for again."""
_RUNTIME = re.compile(r"nodejs(\d+)\.x")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a runtime gets."""

    node: Node
    warning: str | None
    """When it is not of the wanted major version."""
    until: float = float("inf")
    """On the monotonic clock."""


class RuntimeNodes:
    """Remembers, because asking Node for its version takes as long as starting a server."""

    def __init__(self, toolchains: Toolchains) -> None:
        self._toolchains = toolchains
        self._chosen: dict[str, Choice] = {}

    async def provide(self, runtime: str) -> Choice:
        """runtime: as in the manifest, such as `nodejs22.x`. Raises ToolchainError when there is no Node."""
        known = self._chosen.get(runtime)
        if known and time.monotonic() < known.until and (known.node.root / "bin/node").exists():
            return known
        choice = self._chosen[runtime] = await self._choose(runtime)
        return choice

    async def _choose(self, runtime: str) -> Choice:
        match = _RUNTIME.fullmatch(runtime)
        wanted = match[1] if match else None
        problem = "it is no runtime of Node"
        if wanted is not None:
            try:
                return Choice(node=await self._toolchains.provide(wanted), warning=None)
            except ToolchainError as error:
                problem = str(error)
        own = await self._toolchains.system()
        there = [*([own] if own else []), *self._toolchains.fetched()]
        node = (
            min(there, key=lambda one: distance(one.version, wanted))
            if there
            else await self._toolchains.provide("")
        )
        return Choice(
            node=node,
            warning=f"WARNING: Node {node.version} stands in for {runtime}: {problem}",
            until=time.monotonic() + RETRY_SECONDS,
        )


def distance(version: str, wanted: str | None) -> tuple[int, int]:
    """The nearest major version sorts first, of two a newer one."""
    major = int(version.split(".")[0])
    return (0 if wanted is None else abs(major - int(wanted)), -major)
