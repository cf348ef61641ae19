"""A Next.js build as a bundle for server-side rendering (behaviour reference, section 8).

deploy-manifest.json
static/                          `.next/static` and `public`, below the base path
compute/default/                 as the repository, with only what the server needs
compute/default/preamp-next.cjs  what is started
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from preamp.build.artifacts import Collected
from preamp.build.errors import BuildFailed
from preamp.build.next.modules import production_packages
from preamp.build.next.output import NextBuild, package_folder
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


def bundle(
    build: NextBuild, *, output: Path, runtime: str, copy: bool, warn: Callable[[str], None]
) -> Bundled:
    """Move (or copy) what is needed to the new folder `output`. runtime: such as `nodejs22.x`.

    No process of the build may be left. Raises BuildFailed when there is no server to be had.
    """
    app = (build.standalone or build.app).relative_to(
        build.output / "standalone" if build.standalone else build.root
    )
    home = Path(_SERVER, app)
    static = Path(STATIC_FOLDER + build.asset_path, "_next/static")
    public = Path(STATIC_FOLDER + build.base_path)
    dist = home / build.output.relative_to(build.app)
    itself = _answers_public_files(build)
    links: dict[str, str] = {}
    if build.standalone:
        trees = [Tree(source=build.output / "standalone", target=_SERVER)]
    else:
        trees, links = _production(build)
    # Next.js reads both itself too, such as images that it makes smaller
    links[(dist / "static").as_posix()] = os.path.relpath(static, dist)
    names: list[str] = []
    folder = (build.app / "public").resolve()
    if folder.is_dir() and folder.is_relative_to(build.root):
        if itself:
            trees.append(Tree(source=folder, target=(home / "public").as_posix()))
        else:
            names = _names(folder)
            trees.append(Tree(source=folder, target=public.as_posix()))
            links[(home / "public").as_posix()] = os.path.relpath(public, home)
    trees.append(Tree(source=build.output / "static", target=static.as_posix()))
    (output / static).mkdir(parents=True)
    there = [tree for tree in trees if os.path.lexists(tree.source)]
    moved = move(there, links=links, output=output, copy=copy, warn=warn)
    entry = {
        "app": app.as_posix(),
        "output": str(dist.relative_to(home)),
        "standalone": bool(build.standalone),
    }
    written = {
        f"{_SERVER}/{ENTRYPOINT}": f"const BUNDLE = {json.dumps(entry)};\n" + _entrypoint(),
        FILE_NAME: json.dumps(manifest(build, runtime=runtime, public=names), indent=2) + "\n",
    }
    for name, text in written.items():
        (output / name).unlink(missing_ok=True)
        (output / name).write_text(text)
    files = tuple(sorted({*moved.files, *written}))
    total = moved.total_bytes + sum(len(text.encode()) for text in written.values())
    server = [name for name in files if name.startswith(f"{COMPUTE_FOLDER}/")]
    how = "its standalone output" if build.standalone else "its output and the production dependencies"
    summary = (
        f"Next.js {build.version} found: {how} bundled for a server ({len(server)} files) and "
        f"{len(files) - len(server) - 1} static files"
    )
    if itself:
        summary += f"; files of public/ are answered by the server, for there is {itself}"
    return Bundled(
        collected=Collected(output=output, file_count=len(files), total_bytes=total, files=files),
        summary=summary,
    )


def _production(build: NextBuild) -> tuple[list[Tree], dict[str, str]]:
    if package_folder(build.app, build.root, "next") is None:
        raise BuildFailed(
            "Next.js was built, but the package `next` is not in node_modules, so there is nothing to serve "
            "it with: set `output: 'standalone'` in next.config.js, or install into node_modules"
        )
    packages = production_packages(build.app, build.root)
    home = Path(_SERVER, build.app.relative_to(build.root))
    dist = home / build.output.relative_to(build.app)
    single = ["package.json", *_ENV_FILES, *(f"next.config.{suffix}" for suffix in _CONFIGS)]
    trees = [
        Tree(source=build.output, target=dist.as_posix(), leave=_NOT_SERVED),
        *(Tree(source=build.app / name, target=(home / name).as_posix()) for name in single),
        *(
            Tree(source=tree.source, target=f"{_SERVER}/{tree.target}", leave=tree.leave)
            for tree in packages.trees
        ),
    ]
    return trees, {f"{_SERVER}/{place}": target for place, target in packages.links}


def _answers_public_files(build: NextBuild) -> str | None:
    """What of the app applies to files of `public/` too, which only its own server can do."""
    if build.has_middleware:
        return "middleware"
    if build.has_headers:
        return "headers() in next.config.js"
    return None


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as scan:
        return sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in scan)


def _entrypoint() -> str:
    return (Path(__file__).parent / "server.cjs").read_text("utf-8")
