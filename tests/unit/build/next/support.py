"""Small trees that look like what `next build` leaves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from preamp.build.next.bundle import Bundled, bundle
from preamp.build.next.output import NextBuild, next_build


@dataclass(kw_only=True)
class Site:
    """`app` is the folder of the app in the repository, empty: the repository itself."""

    root: Path
    app: str = ""
    dist: str = ".next"
    standalone: bool = True
    config: dict[str, object] = field(default_factory=dict)
    version: str = "15.5.28"

    def __post_init__(self) -> None:
        config = {"distDir": self.dist, "basePath": "", "assetPrefix": "", **self.config}
        facts = {"version": 1, "config": config, "relativeAppDir": self.app, "files": []}
        built = self.home / self.dist
        put(built / "BUILD_ID", "b1")
        put(built / "required-server-files.json", json.dumps(facts))
        put(built / "static/chunks/main-1.js", "main")
        put(built / "server/app/page.js", "page")
        put(built / "cache/webpack/0.pack", "cache")
        put(built / "trace", "trace")
        put(self.home / "package.json", json.dumps({"name": "site", "dependencies": {"next": "15"}}))
        put(self.root / "node_modules/next/package.json", json.dumps({"version": self.version}))
        put(self.root / "node_modules/next/dist/bin/next", "next")
        if self.standalone:
            top = built / "standalone"
            put(top / self.app / "server.js", "server")
            put(top / self.app / self.dist / "BUILD_ID", "b1")
            put(top / self.app / self.dist / "server/app/page.js", "page")
            put(top / "node_modules/next/dist/server/next.js", "next")

    @property
    def home(self) -> Path:
        return self.root / self.app

    def build(self) -> NextBuild:
        found = next_build(self.home / self.dist, self.root)
        assert found is not None
        return found

    def bundle(self, output: Path, *, copy: bool = False) -> tuple[Bundled, dict[str, str], list[str]]:
        """The bundle, its files and links with their texts, and the warnings."""
        warnings: list[str] = []
        bundled = bundle(self.build(), output=output, runtime="nodejs22.x", copy=copy, warn=warnings.append)
        return bundled, contents(output), warnings


def contents(folder: Path) -> dict[str, str]:
    """Files with their texts, and links with where they lead."""
    return {
        path.relative_to(folder).as_posix(): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
