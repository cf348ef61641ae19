from __future__ import annotations

import json
from pathlib import Path

from preamp.build.next.modules import production_packages
from tests.unit.build.next.support import put


def package(folder: Path, **table: object) -> Path:
    put(folder / "package.json", json.dumps(table))
    return folder


def targets(app: Path, root: Path) -> list[str]:
    return sorted(tree.target for tree in production_packages(app, root).trees)


def test_npm(tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    package(tmp_path, dependencies={"a": "1", "@org/b": "1", "gone": "1"}, devDependencies={"dev": "1"})
    package(modules / "a", dependencies={"c": "1"}, optionalDependencies={"@next/swc-linux-x64-gnu": "1"})
    package(modules / "a/node_modules/c", peerDependencies={"peer": "1"})
    for name in ("@org/b", "c", "dev", "peer", "@next/swc-linux-x64-gnu"):
        package(modules / name)
    assert targets(tmp_path, tmp_path) == [
        "node_modules/@org/b", "node_modules/a", "node_modules/a/node_modules/c", "node_modules/peer"
    ]  # fmt: skip
    assert production_packages(tmp_path, tmp_path).links == ()


def test_a_circle(tmp_path: Path) -> None:
    package(tmp_path, dependencies={"a": "1"})
    package(tmp_path / "node_modules/a", dependencies={"b": "1"})
    package(tmp_path / "node_modules/b", dependencies={"a": "1"})
    assert targets(tmp_path, tmp_path) == ["node_modules/a", "node_modules/b"]


def test_pnpm(tmp_path: Path) -> None:
    store = tmp_path / "node_modules/.pnpm"
    package(tmp_path, dependencies={"a": "1"})
    package(store / "a@1/node_modules/a", dependencies={"@org/b": "1"})
    package(store / "@org+b@1/node_modules/@org/b")
    (store / "a@1/node_modules/@org").mkdir()
    (store / "a@1/node_modules/@org/b").symlink_to(store / "@org+b@1/node_modules/@org/b")
    (tmp_path / "node_modules/a").symlink_to(".pnpm/a@1/node_modules/a")
    found = production_packages(tmp_path, tmp_path)
    assert targets(tmp_path, tmp_path) == [
        "node_modules/.pnpm/@org+b@1/node_modules/@org/b", "node_modules/.pnpm/a@1/node_modules/a"
    ]  # fmt: skip
    assert found.links == (
        (
            "node_modules/.pnpm/a@1/node_modules/@org/b",
            "../../../@org+b@1/node_modules/@org/b",
        ),
        ("node_modules/a", ".pnpm/a@1/node_modules/a"),
    )


def test_workspaces(tmp_path: Path) -> None:
    package(tmp_path, dependencies={"web": "1"})
    app = package(tmp_path / "apps/web", dependencies={"words": "1", "web": "1"})
    package(tmp_path / "packages/words", dependencies={"a": "1"})
    package(tmp_path / "node_modules/a")
    (tmp_path / "node_modules/words").symlink_to("../packages/words")
    (tmp_path / "node_modules/web").symlink_to("../apps/web")
    assert targets(app, tmp_path) == ["node_modules/a", "packages/words"], "the app itself is not a package"
    assert ("node_modules/words", "../packages/words") in production_packages(app, tmp_path).links


def test_nothing_outside_of_the_repository(tmp_path: Path) -> None:
    root = package(tmp_path / "src", dependencies={"a": "1", "../../etc": "1", "@org/b": "1", "": "1"})
    package(tmp_path / "node_modules/a")
    package(tmp_path / "outside/b")
    (root / "node_modules").mkdir()
    (root / "node_modules/@org").symlink_to(tmp_path / "outside")
    assert targets(root, root) == []
    (root / "node_modules/a").symlink_to(tmp_path / "node_modules/a")
    assert targets(root, root) == []
