"""A Next.js build as a bundle for server-side rendering (behaviour reference, section 8).

deploy-manifest.json
static/                          `.next/static` and `public`, below the base path
compute/default/                 as the repository, with only what the server needs
compute/default/preamp-next.cjs  what is started
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from preamp.build.artifacts import Collected
from preamp.build.errors import BuildFailed
from preamp.build.next.modules import production_packages
from preamp.build.next.output import NextBuild, package_place
from preamp.build.next.routes import ENTRYPOINT, manifest
from preamp.build.trees import Tree, move
from preamp.model.deploy_manifest import COMPUTE_FOLDER, FILE_NAME, RESOURCE, STATIC_FOLDER

_SERVER = f"{COMPUTE_FOLDER}/{RESOURCE}"
_NOT_SERVED = frozenset({"cache", "diagnostics", "standalone", "static", "trace", "types"})
_ENV_FILES = (".env", ".env.local", ".env.production", ".env.production.local")
_CONFIGS = ("js", "mjs", "cjs", "ts", "mts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundled:
    collected: Collected
    summary: str
    """For the log: what was found and what it became."""


@dataclass(slots=True)
class _Plan:
    """Where things go, relative to the bundle."""

    app: Path
    """The folder of the app, below `compute/default`."""
    home: Path
    """The same, in the bundle."""
    dist: Path
    """What Next.js built, in the bundle."""
    trees: list[Tree]
    links: dict[str, str]
    public: list[str]
    """What lies directly below `public/` and is served without the server; folders with `/`."""


def bundle(
    build: NextBuild, *, output: Path, runtime: str, copy: bool, warn: Callable[[str], None]
) -> Bundled:
    """Move (or copy) what is needed to the new folder `output`. runtime: such as `nodejs22.x`.

    No process of the build may be left. Raises BuildFailed when there is no server to be had.
    """
    plan = _standalone(build, build.standalone) if build.standalone else _production(build)
    itself = _answers_public_files(build)
    _add_static(plan, build)
    _add_public(plan, build, by_the_server=itself is not None)
    written = {
        f"{_SERVER}/{ENTRYPOINT}": _entrypoint(plan, standalone=build.standalone is not None),
        FILE_NAME: json.dumps(manifest(build, runtime=runtime, public=plan.public), indent=2) + "\n",
    }
    for folder in (STATIC_FOLDER, _SERVER):  # the manifest names both, also when there is nothing in them
        (output / folder).mkdir(parents=True)
    for name, text in written.items():
        (output / name).write_text(text)
    there = [tree for tree in plan.trees if os.path.lexists(tree.source)]
    moved = move(there, links=plan.links, output=output, copy=copy, warn=warn)
    files = tuple(sorted((*moved.files, *written)))
    total = moved.total_bytes + sum(len(text.encode()) for text in written.values())
    return Bundled(
        collected=Collected(output=output, file_count=len(files), total_bytes=total, files=files),
        summary=_summary(build, files, itself),
    )


def _standalone(build: NextBuild, server: Path) -> _Plan:
    top = build.output / "standalone"
    plan = _empty(build, server.relative_to(top))
    plan.trees.append(Tree(source=top, target=_SERVER))
    return plan


def _production(build: NextBuild) -> _Plan:
    if package_place(build.app, build.root, "next") is None:
        raise BuildFailed(
            "Next.js was built, but the package `next` is not in node_modules, so there is nothing to serve "
            "it with: set `output: 'standalone'` in next.config.js, or install into node_modules"
        )
    plan = _empty(build, build.app.relative_to(build.root))
    plan.trees.append(Tree(source=build.output, target=plan.dist.as_posix(), leave=_NOT_SERVED))
    for name in ("package.json", *_ENV_FILES, *(f"next.config.{suffix}" for suffix in _CONFIGS)):
        plan.trees.append(Tree(source=build.app / name, target=(plan.home / name).as_posix()))
    packages = production_packages(build.app, build.root)
    plan.trees += [replace(tree, target=f"{_SERVER}/{tree.target}") for tree in packages.trees]
    plan.links.update({f"{_SERVER}/{place}": text for place, text in packages.links})
    return plan


def _empty(build: NextBuild, app: Path) -> _Plan:
    home = Path(_SERVER, app)
    dist = home / build.output.relative_to(build.app)
    return _Plan(app=app, home=home, dist=dist, trees=[], links={}, public=[])


def _add_static(plan: _Plan, build: NextBuild) -> None:
    static = Path(STATIC_FOLDER + build.asset_path, "_next/static")
    plan.trees.append(Tree(source=build.output / "static", target=static.as_posix()))
    plan.links[(plan.dist / "static").as_posix()] = os.path.relpath(static, plan.dist)


def _add_public(plan: _Plan, build: NextBuild, *, by_the_server: bool) -> None:
    folder = (build.app / "public").resolve()
    if not folder.is_dir() or not folder.is_relative_to(build.root):
        return
    if by_the_server:
        plan.trees.append(Tree(source=folder, target=(plan.home / "public").as_posix()))
        return
    with os.scandir(folder) as scan:
        plan.public = sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in scan)
    public = Path(STATIC_FOLDER + build.base_path)
    plan.trees.append(Tree(source=folder, target=public.as_posix()))
    # the server reads it too, such as images that it makes smaller
    plan.links[(plan.home / "public").as_posix()] = os.path.relpath(public, plan.home)


def _summary(build: NextBuild, files: Sequence[str], itself: str | None) -> str:
    server = sum(name.startswith(f"{COMPUTE_FOLDER}/") for name in files)
    how = "its standalone output" if build.standalone else "its output and the production dependencies"
    summary = (
        f"Next.js {build.version} found: {how} bundled for a server ({server} files) and "
        f"{len(files) - server - 1} static files"
    )
    if itself:
        summary += f"; files of public/ are answered by the server, for there is {itself}"
    return summary


def _answers_public_files(build: NextBuild) -> str | None:
    """What of the app applies to files of `public/` too, which only its own server can do."""
    if build.has_middleware:
        return "middleware"
    if build.has_headers:
        return "headers() in next.config.js"
    return None


def _entrypoint(plan: _Plan, *, standalone: bool) -> str:
    facts = {
        "app": plan.app.as_posix(),
        "output": plan.dist.relative_to(plan.home).as_posix(),
        "standalone": standalone,
    }
    script = (Path(__file__).parent / "server.cjs").read_text("utf-8")
    return f"const BUNDLE = {json.dumps(facts)};\n{script}"
