from __future__ import annotations

import json
from pathlib import Path

import pytest

from preamp.build.errors import SpecError
from preamp.build.next.output import next_build, package_place
from tests.unit.build.next.support import Site, put


def test_a_finished_build(tmp_path: Path) -> None:
    build = Site(root=tmp_path).build()
    assert (build.app, build.version) == (tmp_path, "15.5.28")
    assert build.standalone == tmp_path / ".next/standalone"
    assert build.exported is None
    assert (build.base_path, build.asset_path, build.image_path) == ("", "", "/_next/image")


def test_a_monorepo(tmp_path: Path) -> None:
    build = Site(root=tmp_path, app="apps/web").build()
    assert build.app == tmp_path / "apps/web"
    assert build.standalone == tmp_path / "apps/web/.next/standalone/apps/web"
    assert build.version == "15.5.28", "found where Node finds it: in the repository's node_modules"


def test_a_dist_folder_of_another_name(tmp_path: Path) -> None:
    build = Site(root=tmp_path, app="web", dist="out/server").build()
    assert (build.app, build.standalone) == (tmp_path / "web", tmp_path / "web/out/server/standalone/web")


@pytest.mark.parametrize("said", ["../../..", "/etc", None, 7, "nowhere"])
def test_what_the_build_says_of_the_app_is_only_a_hint(tmp_path: Path, said: object) -> None:
    site = Site(root=tmp_path, app="web")
    file = site.home / ".next/required-server-files.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "relativeAppDir": said}))
    assert site.build().standalone == tmp_path / "web/.next/standalone/web"


def test_a_standalone_folder_that_is_a_link(tmp_path: Path) -> None:
    site = Site(root=tmp_path, standalone=False)
    put(tmp_path / "elsewhere/server.js")
    (tmp_path / ".next/standalone").symlink_to("../elsewhere")
    assert site.build().standalone is None


def test_a_server_that_is_a_link_out(tmp_path: Path) -> None:
    site = Site(root=tmp_path, standalone=False)
    (tmp_path / ".next/standalone").mkdir()
    (tmp_path / ".next/standalone/server.js").symlink_to("/etc/passwd")
    assert site.build().standalone is None


def test_facts_that_are_a_link_out(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src")
    facts = put(tmp_path / "facts.json", "{}")
    (site.home / ".next/required-server-files.json").unlink()
    (site.home / ".next/required-server-files.json").symlink_to(facts)
    with pytest.raises(SpecError, match="link that leaves"):
        site.build()


@pytest.mark.parametrize("missing", ["BUILD_ID", "required-server-files.json"])
def test_not_finished(tmp_path: Path, missing: str) -> None:
    (Site(root=tmp_path).home / ".next" / missing).unlink()
    assert next_build(tmp_path / ".next", tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"config": 1}'])
def test_facts_that_are_none(tmp_path: Path, text: str) -> None:
    Site(root=tmp_path)
    (tmp_path / ".next/required-server-files.json").write_text(text)
    assert next_build(tmp_path / ".next", tmp_path) is None


@pytest.mark.parametrize(
    ("config", "base", "assets", "images"),
    [
        ({"basePath": "/docs", "assetPrefix": "/docs"}, "/docs", "/docs", "/docs/_next/image"),
        (
            {"basePath": "/docs", "assetPrefix": "https://cdn.example/x"},
            "/docs",
            "/docs",
            "/docs/_next/image",
        ),
        ({"basePath": "", "assetPrefix": "/cdn"}, "", "/cdn", "/_next/image"),
        ({"images": {"path": "/small"}}, "", "", "/small"),
        ({"basePath": "/../../etc", "assetPrefix": "//cdn.example"}, "", "", "/_next/image"),
        ({"basePath": 7, "images": []}, "", "", "/_next/image"),
    ],
)
def test_paths(tmp_path: Path, config: dict[str, object], base: str, assets: str, images: str) -> None:
    build = Site(root=tmp_path, config=config).build()
    assert (build.base_path, build.asset_path, build.image_path) == (base, assets, images)


@pytest.mark.parametrize("version", ["", "latest", "15", '15.0.0"'])
def test_a_version_that_is_none(tmp_path: Path, version: str) -> None:
    assert Site(root=tmp_path, version=version).build().version == "0.0.0"


def test_an_export(tmp_path: Path) -> None:
    site = Site(root=tmp_path, app="web", config={"output": "export"}, standalone=False)
    put(tmp_path / "web/out/index.html")
    put(tmp_path / "web/.next/export-detail.json", '{"outDirectory": "/workspace/src/web/out"}')
    assert site.build().exported == tmp_path / "web/out"


def test_an_export_that_leads_out(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src", config={"output": "export"}, standalone=False)
    (tmp_path / "src/out").symlink_to("/etc")
    assert site.build().exported is None


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("middleware-manifest.json", '{"middleware": {"/": {}}}', True),
        ("middleware-manifest.json", '{"middleware": {}}', False),
        ("functions-config-manifest.json", '{"functions": {"/_middleware": {}}}', True),
        ("functions-config-manifest.json", '{"functions": {"/api": {}}}', False),
        ("functions-config-manifest.json", '{"functions": 1}', False),
    ],
)
def test_middleware(tmp_path: Path, file: str, text: str, found: bool) -> None:
    site = Site(root=tmp_path)
    put(tmp_path / ".next/server" / file, text)
    assert site.build().has_middleware is found


def test_a_package_is_looked_for_no_higher_than_the_repository(tmp_path: Path) -> None:
    put(tmp_path / "node_modules/next/package.json", "{}")
    (tmp_path / "src/web").mkdir(parents=True)
    assert package_place(tmp_path / "src/web", tmp_path / "src", "next") is None
