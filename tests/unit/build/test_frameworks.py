from __future__ import annotations

import json
from pathlib import Path

import pytest

from preamp.build.errors import SpecError
from preamp.build.frameworks import detect
from preamp.build.lookup import find_spec
from preamp.build.spec_parse import parse_spec
from preamp.model.apps import Platform


def package(folder: Path, *dependencies: str, build: str | None = "x build", **more: object) -> None:
    content = {"name": "site", "dependencies": dict.fromkeys(dependencies, "1"), **more}
    if build:
        content["scripts"] = {"build": build}
    (folder / "package.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("dependencies", "output"),
    [
        (["vite", "react"], "dist"), (["next"], ".next"), (["react-scripts"], "build"),
        (["astro", "vite"], "dist"),
        (["gatsby"], "public"), (["@angular/core"], "dist/site/browser"), (["@docusaurus/core"], "build"),
        (["@11ty/eleventy"], "_site"), (["left-pad"], "dist"),
    ],
)  # fmt: skip
def test_output_folder(tmp_path: Path, dependencies: list[str], output: str) -> None:
    package(tmp_path, *dependencies)
    section = parse_spec(detect(tmp_path).spec).applications[0].frontend
    assert section.artifacts is not None
    assert section.artifacts.base_directory == output


@pytest.mark.parametrize(
    ("lock", "install", "build"),
    [
        ("package-lock.json", "npm ci --cache .npm --prefer-offline", "npm run build"),
        ("yarn.lock", "yarn install", "yarn run build"),
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile --store-dir .pnpm-store", "pnpm run build"),
        ("bun.lock", "bun install --frozen-lockfile", "bun run build"),
        ("none", "npm install --cache .npm", "npm run build"),
    ],
)
def test_package_manager(tmp_path: Path, lock: str, install: str, build: str) -> None:
    package(tmp_path, "vite")
    (tmp_path / lock).touch()
    commands = [
        command.text for command in parse_spec(detect(tmp_path).spec).applications[0].frontend.commands
    ]
    assert commands[-2:] == [install, build]


def test_plain_static(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    section = parse_spec(detect(tmp_path).spec).applications[0].frontend
    assert section.commands == ()
    assert section.artifacts is not None
    assert section.artifacts.base_directory == "/"


def test_nothing_known_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"Add an amplify\.yml"):
        detect(tmp_path)


def test_broken_package_json(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{")
    with pytest.raises(SpecError, match=r"package\.json is not valid JSON"):
        detect(tmp_path)


def test_order_of_specs(tmp_path: Path) -> None:
    text = "frontend: {artifacts: {baseDirectory: %s}}"
    (tmp_path / "index.html").touch()

    def base(**saved: str) -> str | None:
        artifacts = find_spec(tmp_path, **saved).application.frontend.artifacts  # type: ignore[arg-type]
        assert artifacts is not None
        return artifacts.base_directory

    assert base() == "/"
    assert base(app_spec=text % "app") == "app"
    assert base(app_spec=text % "app", branch_spec=text % "branch") == "branch"
    (tmp_path / "amplify.yml").write_text(text % "file")
    assert base(app_spec=text % "app", branch_spec=text % "branch") == "file"


def test_a_spec_that_is_a_link_out_of_the_repository_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "amplify.yml").symlink_to("/etc/passwd")
    with pytest.raises(SpecError, match="link that leaves the repository"):
        find_spec(tmp_path)


def test_monorepo_selection(tmp_path: Path) -> None:
    text = "applications:\n- {appRoot: a, frontend: {}}\n- {appRoot: ./b/, frontend: {}}\n"
    assert find_spec(tmp_path, app_spec=text, app_root="b").application.app_root == "b"
    with pytest.raises(SpecError, match="multiple appRoots and no target appRoot set"):
        find_spec(tmp_path, app_spec=text)
    with pytest.raises(SpecError, match="there is 'a', 'b'"):
        find_spec(tmp_path, app_spec=text, app_root="c")
    with pytest.raises(SpecError, match='Monorepo spec provided without "applications" key'):
        find_spec(tmp_path, app_spec="frontend: {}", app_root="a")


@pytest.mark.parametrize(
    ("dependencies", "name", "output", "last"),
    [
        (["nuxt"], "Nuxt", ".amplify-hosting", "npm run build"),
        (["nitropack"], "Nitro", ".amplify-hosting", "npm run build"),
        (["astro", "astro-aws-amplify"], "Astro with astro-aws-amplify", ".amplify-hosting",
         "mv node_modules .amplify-hosting/compute/default"),
        (["@sveltejs/kit", "amplify-adapter"], "SvelteKit with amplify-adapter", "build", "npm run build"),
        (["next"], "Next.js", ".next", "npm run build"),
        (["astro"], "Astro", "dist", "npm run build"),
    ],
)  # fmt: skip
def test_with_a_server(tmp_path: Path, dependencies: list[str], name: str, output: str, last: str) -> None:
    package(tmp_path, *dependencies)
    found = detect(tmp_path, Platform.WEB_COMPUTE)
    section = parse_spec(found.spec).applications[0].frontend
    assert section.artifacts is not None
    assert (found.name, section.artifacts.base_directory) == (name, output)
    assert section.commands[-1].text == last


def test_the_platform_decides_whether_an_adapter_counts(tmp_path: Path) -> None:
    package(tmp_path, "astro", "astro-aws-amplify")
    assert "baseDirectory: dist" in detect(tmp_path).spec
    assert "baseDirectory: dist" not in detect(tmp_path, Platform.WEB_COMPUTE).spec
    assert "baseDirectory: dist" not in (find_spec(tmp_path, platform=Platform.WEB_COMPUTE).generated or "")


def test_adapters_without_a_build_script(tmp_path: Path) -> None:
    package(tmp_path, "amplify-adapter", "@sveltejs/kit", build=None)
    assert "npx --yes vite build" in detect(tmp_path, Platform.WEB_COMPUTE).spec


def test_the_cache_of_next(tmp_path: Path) -> None:
    package(tmp_path, "next")
    (tmp_path / "package-lock.json").touch()
    paths = parse_spec(detect(tmp_path).spec).applications[0].frontend.cache_paths
    assert paths == (".npm/**/*", ".next/cache/**/*")
