"""Making the Node versions that a build asks for available before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from preamp.build.errors import ToolchainError
from preamp.build.logs import BuildLog
from preamp.build.toolchain import DEFAULT_MAJOR, Node, Toolchains, Wish, wants_node, wishes


@dataclass(frozen=True, kw_only=True, slots=True)
class Nodes:
    """What there is for one build."""

    first: Node | None = None
    """What the build starts with; `None`: it does not need Node, or its image brings it."""
    all: tuple[Node, ...] = ()

    @property
    def runtime(self) -> str:
        """Of the Node that a build ends with, as deploy manifests name it: `nvm use` wins."""
        major = self.all[-1].version.lstrip("v").partition(".")[0] if self.all else str(DEFAULT_MAJOR)
        return f"nodejs{major}.x"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Of the fetched ones; the machine's own is visible anyway."""
        return tuple(dict.fromkeys(node.root for node in self.all if not node.system))

    @property
    def bin(self) -> PurePosixPath | None:
        """To be put into the PATH."""
        return PurePosixPath(self.first.root / "bin") if self.first and not self.first.system else None

    @property
    def parent(self) -> PurePosixPath | None:
        """The folder of all fetched versions, for `nvm`."""
        fetched = [node for node in self.all if not node.system and node.root.name.startswith("v")]
        return PurePosixPath(fetched[0].root.parent) if fetched else None

    @property
    def variables(self) -> Mapping[str, str]:
        system = next((node for node in self.all if node.system), None)
        return {"PREAMP_SYSTEM_NODE": str(system.root / "bin")} if system else {}


async def provide_nodes(
    toolchains: Toolchains,
    *,
    source: Path,
    base: str,
    commands: Sequence[str],
    override: str | None,
    own_image: bool,
    log: BuildLog,
) -> Nodes:
    """base: the application's folder below `source`. override: a version that wins over what the
    repository asks for. own_image: the machine's own Node is not there.

    Raises ToolchainError when no Node at all can be had.
    """
    if override is None and (not commands or not wants_node(source, base, commands)):
        return Nodes()
    wanted = wishes(source, base, commands)
    if override is not None:
        wanted.insert(0, Wish(version=override, origin="_LIVE_UPDATES"))
    system = None if own_image else await toolchains.system()
    found = [system] if system else []
    first: Node | None = None
    for wish in wanted:
        node = await _wished(toolchains, wish, log, system=not own_image)
        if node is not None:
            log.info(f"# Node {node.version} is available ({wish.origin})")
            found.append(node)
            first = first or node
    if first is None and not own_image:
        first = system or await toolchains.provide("")
        if first not in found:
            found.append(first)
            log.info(f"# Node {first.version} is available (none was on the machine)")
    return Nodes(first=first, all=tuple(dict.fromkeys(found)))


async def _wished(toolchains: Toolchains, wish: Wish, log: BuildLog, *, system: bool) -> Node | None:
    try:
        return await toolchains.provide(wish.version, system=system)
    except ToolchainError as error:
        major = wish.version.removeprefix(">=").split(".")[0]
        if major == wish.version:
            log.warning(f"! {error} (asked for by {wish.origin})")
            return None
        node = await toolchains.provide(major, system=system)
        log.warning(f"! Node {wish.version} ({wish.origin}) cannot be had; {node.version} stands in")
        return node
