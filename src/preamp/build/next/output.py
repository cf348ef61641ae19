"""Recognising what `next build` left, from files that are not trusted."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from preamp.build.files import read_inside
from preamp.build.spec import normal_root

FACTS = "required-server-files.json"
MAX_FACTS = 4 * 1024 * 1024
UNKNOWN_VERSION = "0.0.0"
_VERSION = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class NextBuild:
    """A finished build. All paths are real and lie below `root`."""

    root: Path
    """The repository, which a monorepo's packages lie in."""
    app: Path
    """The folder with the package.json of the app."""
    output: Path
    """`.next`, or what `distDir` calls it."""
    version: str
    config: Mapping[str, object]
    """next.config.js as Next.js understood it, without functions."""
    standalone: Path | None
    """The folder with the `server.js` that `output: 'standalone'` makes, in `output`."""
    exported: Path | None
    """The files of `output: 'export'`, which need no server."""

    @property
    def base_path(self) -> str:
        """Such as `/docs`, or empty."""
        return _path(self.config, "basePath")

    @property
    def asset_path(self) -> str:
        """What stands before `/_next/static` in the addresses of this site."""
        return _path(self.config, "assetPrefix") or self.base_path

    @property
    def has_middleware(self) -> bool:
        """Middleware, or a proxy as Next.js 16 calls it, of either runtime."""
        edge = read_table(self.output, "server/middleware-manifest.json").get("middleware")
        node = read_table(self.output, "server/functions-config-manifest.json").get("functions")
        return bool(edge) or (isinstance(node, dict) and "/_middleware" in node)

    @property
    def has_headers(self) -> bool:
        """Whether `headers()` of next.config.js names any."""
        return bool(read_table(self.output, "routes-manifest.json").get("headers"))

    @property
    def image_path(self) -> str:
        """Where Next.js makes images smaller."""
        images = self.config.get("images")
        given = _path(images, "path") if isinstance(images, dict) else ""
        return given or f"{self.base_path}/_next/image"


def next_build(output: Path, root: Path) -> NextBuild | None:
    """`None` when the folder is not the output of a finished `next build`.

    output: real, below `root`. Raises SpecError for files that lead out or are far too large.
    """
    if not output.is_relative_to(root) or output == root or not (output / "BUILD_ID").is_file():
        return None
    facts = read_table(output, FACTS)
    config = facts.get("config")
    if not isinstance(config, dict):
        return None
    app = _app(output, root, str(config.get("distDir") or ""))
    package = package_place(app, root, "next")
    version = str(read_table(package.resolve(), "package.json").get("version")) if package else ""
    return NextBuild(
        root=root,
        app=app,
        output=output,
        version=version if _VERSION.fullmatch(version) else UNKNOWN_VERSION,
        config=config,
        standalone=_standalone(output, facts, app, root),
        exported=_exported(output, app) if config.get("output") == "export" else None,
    )


def package_place(user: Path, root: Path, name: str) -> Path | None:
    """Where Node finds a package: in a `node_modules` on the way up, at most up to `root`."""
    folder = user
    while folder.is_relative_to(root):
        if folder.name != "node_modules":
            place = folder / "node_modules" / name
            # the folder of a scope, such as @org, may be a link too
            if (
                place.parent.resolve() == place.parent
                and place.is_dir()
                and place.resolve().is_relative_to(root)
            ):
                return place
        folder = folder.parent
    return None


def _app(output: Path, root: Path, dist: str) -> Path:
    """`distDir` may be several folders deep."""
    try:
        parts = normal_root(dist).split("/")
    except ValueError:
        parts = []
    if parts and output.parts[-len(parts) :] == tuple(parts) and len(parts) > 1:
        app = output.parents[len(parts) - 1]
        if app.is_relative_to(root):
            return app
    return output.parent


def _standalone(output: Path, facts: Mapping[str, object], app: Path, root: Path) -> Path | None:
    """In a monorepo it has the app where the repository has it."""
    top = output / "standalone"
    said = facts.get("relativeAppDir")
    for relative in (said if isinstance(said, str) else None, app.relative_to(root).as_posix(), ""):
        if relative is None:
            continue
        folder = (top / relative.lstrip("/")).resolve()
        server = (folder / "server.js").resolve()
        if folder.is_relative_to(top) and server.is_relative_to(folder) and server.is_file():
            return folder
    return None


def _exported(output: Path, app: Path) -> Path | None:
    said = str(read_table(output, "export-detail.json").get("outDirectory") or "")
    folder = (app / (posixpath.basename(said) or "out")).resolve()
    return folder if folder.is_dir() and folder.is_relative_to(app) else None


def read_table(folder: Path, name: str) -> Mapping[str, object]:
    """A JSON object; empty when there is none. Raises SpecError for links out of `folder`."""
    text = read_inside(folder, name, MAX_FACTS)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _path(table: Mapping[str, object], key: str) -> str:
    """A path of this site; empty for another site's address and for what is no path."""
    value = table.get(key)
    if not isinstance(value, str) or not value.startswith("/") or value.startswith("//"):
        return ""
    try:
        parts = normal_root(value)
    except ValueError:
        return ""
    return f"/{parts}" if parts else ""
