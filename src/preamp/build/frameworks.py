"""A build spec for a repository that has none: by package.json, lock file and well-known files.

Table: behaviour reference, section 5.3. Where the output may have a server depends on the app's platform.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from preamp.build.errors import SpecError
from preamp.build.files import read_inside
from preamp.model.apps import Platform

MAX_PACKAGE_JSON = 4 * 1024 * 1024
BUNDLE = ".amplify-hosting"
# first match wins: meta-frameworks stand before the bundlers that they use themselves
_FRAMEWORKS = (
    ("next", "Next.js", ".next"),
    ("nuxt", "Nuxt", BUNDLE),
    ("astro", "Astro", "dist"),
    ("@sveltejs/kit", "SvelteKit", "build"),
    ("gatsby", "Gatsby", "public"),
    ("@docusaurus/core", "Docusaurus", "build"),
    ("vitepress", "VitePress", ".vitepress/dist"),
    ("@11ty/eleventy", "Eleventy", "_site"),
    ("react-scripts", "Create React App", "build"),
    ("@vue/cli-service", "Vue CLI", "dist"),
    ("vite", "Vite", "dist"),
)
_SERVERS = (
    ("astro-aws-amplify", "Astro with astro-aws-amplify", BUNDLE),
    ("amplify-adapter", "SvelteKit with amplify-adapter", "build"),
    ("nitropack", "Nitro", BUNDLE),
    ("nitro", "Nitro", BUNDLE),
)
"""What writes a bundle with a server, and where to; for these it is the platform that decides."""
# as the adapter's documentation has it: Astro leaves the packages that its server needs where they are
_AFTER = {"astro-aws-amplify": [f"mv node_modules {BUNDLE}/compute/default"]}
_STATIC_ROOTS = ("", "public", "dist", "build", "_site")


@dataclass(frozen=True, kw_only=True, slots=True)
class Detected:
    """A generated spec (YAML text) and what it was made from."""

    name: str
    spec: str


def detect(source: Path, platform: Platform = Platform.WEB) -> Detected:
    """Raises SpecError when nothing is recognised, saying what would be."""
    package = _package(source)
    if package is not None and (found := _node(source, package, platform)):
        return found
    if any((source / name).is_file() for name in ("hugo.toml", "hugo.yaml", "config.toml")) and (
        (source / "content").is_dir() or (source / "themes").is_dir()
    ):
        return Detected(name="Hugo", spec=_spec([], ["hugo"], "public", []))
    if (source / "mkdocs.yml").is_file():
        setup = (
            "pip install -r requirements.txt"
            if (source / "requirements.txt").is_file()
            else "pip install mkdocs"
        )
        return Detected(name="MkDocs", spec=_spec([setup], ["mkdocs build"], "site", []))
    for folder in _STATIC_ROOTS:
        if (source / folder / "index.html").is_file():
            return Detected(name="static files", spec=_spec([], [], f"/{folder}", []))
    raise SpecError(
        "there is no amplify.yml in the repository and none saved for the branch or the app, and no known "
        "framework was recognised (package.json with a build script, Hugo, MkDocs, or an index.html). "
        "Add an amplify.yml to the repository's root",
        absent=True,
    )


def _package(source: Path) -> Mapping[str, object] | None:
    text = read_inside(source, "package.json", MAX_PACKAGE_JSON)
    if text is None:
        return None
    try:
        package = json.loads(text)
    except ValueError as error:
        raise SpecError(f"package.json is not valid JSON: {error}") from None
    return package if isinstance(package, dict) else None


def _table(package: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = package.get(key)
    return value if isinstance(value, dict) else {}


def _node(source: Path, package: Mapping[str, object], platform: Platform) -> Detected | None:
    dependencies = {**_table(package, "dependencies"), **_table(package, "devDependencies")}
    scripts = _table(package, "scripts")
    install, run, cache = _manager(source, package, dependencies)
    known = (*(_SERVERS if platform is Platform.WEB_COMPUTE else ()), *_FRAMEWORKS)
    for name, title, output in known:
        if name in dependencies:
            command = f"{run} build" if "build" in scripts else f"npx --yes {_builder(name)} build"
            if name == "next":
                cache = [*cache, ".next/cache/**/*"]
                if "export" in str(scripts.get("build", "")):
                    output = "out"  # noqa: PLW2901 - the static form of the same framework
            spec = _spec(install, [command, *_AFTER.get(name, [])], output, cache)
            return Detected(name=title, spec=spec)
    if "@angular/core" in dependencies:
        project = str(package.get("name", "app"))
        return Detected(
            name="Angular", spec=_spec(install, [f"{run} build"], f"dist/{project}/browser", cache)
        )
    if "build" in scripts:
        return Detected(
            name="package.json with a build script", spec=_spec(install, [f"{run} build"], "dist", cache)
        )
    return None


def _builder(dependency: str) -> str:
    return {
        "@11ty/eleventy": "@11ty/eleventy",
        "@docusaurus/core": "docusaurus",
        "@sveltejs/kit": "vite",
        "amplify-adapter": "vite",
        "astro-aws-amplify": "astro",
    }.get(dependency, dependency)


def _manager(
    source: Path, package: Mapping[str, object], dependencies: Mapping[str, object]
) -> tuple[list[str], str, list[str]]:
    """Install commands, how to run a script, what to cache; by lock file."""
    if (source / "pnpm-lock.yaml").is_file():
        setup = [
            _tool(package, "pnpm"),
            "pnpm install --frozen-lockfile --store-dir .pnpm-store",
        ]
        return setup, "pnpm run", [".pnpm-store/**/*"]
    if (source / "yarn.lock").is_file():
        return [_tool(package, "yarn"), "yarn install"], "yarn run", ["node_modules/**/*"]
    if (source / "bun.lock").is_file() or (source / "bun.lockb").is_file():
        return ["npm install -g bun", "bun install --frozen-lockfile"], "bun run", ["node_modules/**/*"]
    if (source / "package-lock.json").is_file() or (source / "npm-shrinkwrap.json").is_file():
        return ["npm ci --cache .npm --prefer-offline"], "npm run", [".npm/**/*"]
    return (["npm install --cache .npm"] if dependencies else []), "npm run", [".npm/**/*"]


def _tool(package: Mapping[str, object], name: str) -> str:
    """Corepack where the repository pins a version for it, else the newest of the registry."""
    pinned = str(package.get("packageManager", "")).startswith(f"{name}@")
    return "corepack enable" if pinned else f"npm install -g {name}"


def _spec(install: list[str], build: list[str], output: str, cache: list[str]) -> str:
    lines = ["version: 1", "frontend:"]
    if install or build:
        lines.append("  phases:")
    for phase, commands in (("preBuild", install), ("build", build)):
        if commands:
            lines += [
                f"    {phase}:",
                "      commands:",
                *(f"        - {_quoted(command)}" for command in commands),
            ]
    lines += ["  artifacts:", f"    baseDirectory: {_quoted(output)}", "    files:", "      - '**/*'"]
    if cache:
        lines += ["  cache:", "    paths:", *(f"      - {_quoted(path)}" for path in cache)]
    else:
        lines += ["  cache:", "    paths: []"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    plain = all(char.isalnum() or char in " ./_-" for char in text) and text[:1].isalnum()
    return text if plain else json.dumps(text, ensure_ascii=False)
