"""A compute host for tests of the edge: every release has the same server, an Upstream on a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from preamp.compute.client import ComputeUnavailable


@dataclass
class FakeCompute:
    """What `EdgeConfig.compute` may be."""

    socket_path: Path
    used: list[str] = field(default_factory=list)
    """Releases, one for each use."""
    told_broken: list[tuple[str, Path]] = field(default_factory=list)
    open: int = 0
    closed: bool = False
    fails: ComputeUnavailable | None = None
    start_seconds: float = 0.0
    """How long it takes until a server can be used."""
    dead: int = 0
    """So many uses lead to a socket where nobody listens."""

    @contextlib.asynccontextmanager
    async def use(self, release_id: str) -> AsyncIterator[Path]:
        if self.fails is not None:
            raise self.fails
        self.used.append(release_id)
        self.open += 1
        path = self.socket_path
        if self.dead:
            self.dead -= 1
            path = path.with_name("nobody")
        try:
            await asyncio.sleep(self.start_seconds)
            yield path
        finally:
            self.open -= 1

    def hold(self, release_id: str) -> tuple[Path, Callable[[], None]] | None:
        if self.fails is not None or self.dead:
            return None
        self.used.append(release_id)
        self.open += 1
        return self.socket_path, self._leave

    def _leave(self) -> None:
        self.open -= 1

    def broken(self, release_id: str, socket_path: Path) -> None:
        self.told_broken.append((release_id, socket_path))

    async def close(self) -> None:
        self.closed = True


COMPUTE = {"kind": "Compute", "src": "default"}
IMAGE_SETTINGS = {
    "sizes": [100, 200],
    "domains": ["images.example.com"],
    "remotePatterns": [],
    "formats": ["image/webp", "image/png"],
    "minimumCacheTTL": 60,
    "dangerouslyAllowSVG": False,
}


def target(kind: str, cache_control: str | None = None) -> dict[str, str]:
    if kind == "Compute":
        return dict(COMPUTE)
    return {"kind": kind} | ({"cacheControl": cache_control} if cache_control else {})


def manifest(*routes: dict[str, object]) -> dict[str, object]:
    """A deploy manifest with a server, whatever its routes are."""
    return {
        "version": 1,
        "routes": list(routes),
        "computeResources": [{"name": "default", "runtime": "nodejs22.x", "entrypoint": "index.js"}],
        "imageSettings": IMAGE_SETTINGS,
        "framework": {"name": "own", "version": "1.0.0"},
    }


STANDARD = manifest(
    {"path": "/*.*", "target": target("Static", "public, max-age=2"), "fallback": target("Compute")},
    {"path": "/*", "target": target("Compute")},
)
