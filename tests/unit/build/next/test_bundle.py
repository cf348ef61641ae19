from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from preamp.build.errors import BuildFailed
from preamp.model.deploy_manifest import parse
from tests.unit.build.next.support import Site, put

GOLDEN = Path(__file__).parent / "manifests"
ENTRY = "compute/default/preamp-next.cjs"


def middleware(site: Site) -> None:
    put(site.home / ".next/server/middleware-manifest.json", '{"middleware": {"/": {}}}')


def headers(site: Site) -> None:
    put(site.home / ".next/routes-manifest.json", '{"headers": [{"source": "/(.*)"}]}')


def public(site: Site) -> None:
    for name in ("favicon.ico", "img/a b.png", "my photo (1).jpg", ".well-known/x.txt"):
        put(site.home / "public" / name)


def much(site: Site) -> None:
    for number in range(40):
        put(site.home / f"public/{number}.txt")


@pytest.mark.parametrize(
    ("name", "config", "prepare"),
    [
        ("plain", {}, public),
        ("no_public", {}, None),
        ("much_public", {}, much),
        ("middleware", {}, middleware),
        ("headers", {}, headers),
        ("base_path", {"basePath": "/docs", "assetPrefix": "/docs"}, public),
        ("asset_prefix", {"assetPrefix": "/cdn"}, public),
    ],
)  # fmt: skip
def test_manifests(tmp_path: Path, name: str, config: dict[str, object], prepare: object) -> None:
    site = Site(root=tmp_path / "src", config=config)
    if callable(prepare):
        prepare(site)
    _, seen, _ = site.bundle(tmp_path / "out")
    assert json.loads(seen["deploy-manifest.json"]) == json.loads((GOLDEN / f"{name}.json").read_text())
    assert parse(seen["deploy-manifest.json"]).warnings == ()


def test_standalone(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src")
    put(site.home / "public/robots.txt", "all")
    bundled, seen, warnings = site.bundle(tmp_path / "out")
    entry = seen.pop(ENTRY)
    assert entry.startswith('const BUNDLE = {"app": ".", "output": ".next", "standalone": true};\n')
    assert json.loads(seen.pop("deploy-manifest.json"))["framework"] == {"name": "next", "version": "15.5.28"}
    assert seen == {
        "compute/default/server.js": "server",
        "compute/default/.next/BUILD_ID": "b1",
        "compute/default/.next/server/app/page.js": "page",
        "compute/default/.next/static": "-> ../../../static/_next/static",
        "compute/default/node_modules/next/dist/server/next.js": "next",
        "compute/default/public": "-> ../../static",
        "static/_next/static/chunks/main-1.js": "main",
        "static/robots.txt": "all",
    }
    assert not warnings
    assert bundled.collected.file_count == 8
    assert ENTRY in bundled.collected.files
    written = sum(
        path.stat().st_size
        for path in (tmp_path / "out").rglob("*")
        if not path.is_symlink() and path.is_file()
    )
    assert bundled.collected.total_bytes == written
    assert bundled.summary == (
        "Next.js 15.5.28 found: its standalone output bundled for a server (5 files) and 2 static files"
    )


def test_standalone_in_a_monorepo_with_a_base_path(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src", app="apps/web", config={"basePath": "/docs", "assetPrefix": "/docs"})
    put(site.home / "public/robots.txt", "all")
    _, seen, warnings = site.bundle(tmp_path / "out")
    assert seen["compute/default/apps/web/server.js"] == "server"
    assert '"app": "apps/web"' in seen[ENTRY]
    assert seen["compute/default/apps/web/.next/static"] == "-> ../../../../../static/docs/_next/static"
    assert seen["compute/default/apps/web/public"] == "-> ../../../../static/docs"
    assert seen["static/docs/robots.txt"] == "all"
    assert not warnings


def test_with_middleware_the_server_answers_public_files(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src")
    middleware(site)
    put(site.home / "public/private.pdf", "secret")
    bundled, seen, _ = site.bundle(tmp_path / "out")
    assert seen["compute/default/public/private.pdf"] == "secret"
    assert "static/private.pdf" not in seen
    assert bundled.summary.endswith("files of public/ are answered by the server, for there is middleware")


def test_what_the_build_copied_itself_stays(tmp_path: Path) -> None:
    """As the documentation of Next.js tells to, for servers without a CDN."""
    site = Site(root=tmp_path / "src")
    put(site.home / "public/robots.txt", "all")
    put(site.home / ".next/standalone/public/robots.txt", "all")
    put(site.home / ".next/standalone/.next/static/chunks/main-1.js", "main")
    _, seen, _ = site.bundle(tmp_path / "out")
    assert seen["compute/default/public/robots.txt"] == "all"
    assert seen["compute/default/.next/static/chunks/main-1.js"] == "main"
    assert seen["static/robots.txt"] == "all"


def test_production_dependencies(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src", app="apps/web", standalone=False)
    put(site.home / ".env.production", "KEY=1")
    put(site.home / "next.config.mjs", "config")
    put(site.root / "node_modules/typescript/package.json", "{}")
    bundled, seen, warnings = site.bundle(tmp_path / "out")
    entry = seen.pop(ENTRY)
    assert entry.startswith('const BUNDLE = {"app": "apps/web", "output": ".next", "standalone": false};\n')
    assert sorted(set(seen) - {"deploy-manifest.json"}) == [
        "compute/default/apps/web/.env.production",
        "compute/default/apps/web/.next/BUILD_ID",
        "compute/default/apps/web/.next/required-server-files.json",
        "compute/default/apps/web/.next/server/app/page.js",
        "compute/default/apps/web/.next/static",
        "compute/default/apps/web/next.config.mjs",
        "compute/default/apps/web/package.json",
        "compute/default/node_modules/next/dist/bin/next",
        "compute/default/node_modules/next/package.json",
        "static/_next/static/chunks/main-1.js",
    ]
    assert not warnings
    assert "its output and the production dependencies bundled" in bundled.summary


def test_without_next_there_is_nothing_to_serve_with(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src", standalone=False)
    (site.root / "node_modules").rename(site.root / "elsewhere")
    with pytest.raises(BuildFailed, match=r"set `output: 'standalone'` in next\.config\.js"):
        site.bundle(tmp_path / "out")


def test_a_copy_leaves_everything_for_the_tests(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src")
    site.bundle(tmp_path / "out", copy=True)
    assert (site.home / ".next/standalone/server.js").is_file()
    assert (site.home / ".next/static/chunks/main-1.js").is_file()


@pytest.mark.parametrize("path", [".next", ".next/static", "public", "preamp-next.cjs"])
def test_links_of_the_build_are_not_written_through(tmp_path: Path, path: str) -> None:
    victim = put(tmp_path / "victim/file", "safe").parent
    site = Site(root=tmp_path / "src")
    put(site.home / "public/robots.txt", "all")
    place = site.home / ".next/standalone" / path
    if place.is_dir():
        place.rename(tmp_path / "away")
    place.symlink_to(victim / "file" if path.endswith("cjs") else victim)
    _, seen, _ = site.bundle(tmp_path / "out")
    assert [name.name for name in victim.iterdir()] == ["file"]
    assert (victim / "file").read_text() == "safe"
    for name in seen:
        assert os.path.realpath(tmp_path / "out" / name).startswith(str(tmp_path / "out"))


@pytest.mark.parametrize("path", [".next/static", "public"])
def test_folders_that_are_links_out_are_not_published(tmp_path: Path, path: str) -> None:
    put(tmp_path / "private/secret", "secret")
    site = Site(root=tmp_path / "src")
    if (site.home / path).is_dir():
        (site.home / path).rename(tmp_path / "away")
    (site.home / path).symlink_to(tmp_path / "private")
    assert "secret" not in site.bundle(tmp_path / "out")[1].values()
