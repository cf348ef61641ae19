"""`npm ci` with node_modules from the cache: kept when it is provably the same, else npm decides."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from preamp.build.errors import BuildFailed
from tests.integration.build.support import Builder, Repository, spec

pytestmark = pytest.mark.needs("git", "bwrap", "node", "npm")

KEPT = "kept 1 packages"
CACHE = "  cache:\n    paths: ['.npm/**/*']\n"
BUILD = "mkdir dist; node -p \"require('left').value\" > dist/x"


def package(folder: Path, value: int, **extra: object) -> None:
    """A package `left` as a tarball in the repository: no registry is needed."""
    files = {
        "package.json": json.dumps({"name": "left", "version": "1.0.0", **extra}),
        "index.js": f"exports.value = {value}\n",
    }
    with tarfile.open(folder / "left.tgz", "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))


def project(
    repository: Repository, *commands: str, package_json: dict[str, object] | None = None, **lock: object
) -> None:
    manifest = {"name": "site", "dependencies": {"left": "file:left.tgz"}, **(package_json or {})}
    locked = {
        "name": "site",
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "site", "dependencies": {"left": "file:left.tgz"}},
            "node_modules/left": {"version": "1.0.0", "resolved": "file:left.tgz", **lock},
        },
    }
    repository.commit(
        {
            "amplify.yml": spec(*(commands or ("npm ci --cache .npm --no-audit", BUILD)), rest=CACHE),
            "package.json": json.dumps(manifest),
            "package-lock.json": json.dumps(locked),
        }
    )


@pytest.fixture
def site(repository: Repository) -> Repository:
    package(repository.folder, 1)
    project(repository)
    return repository


def test_the_same_again_is_kept(site: Repository, builder: Builder) -> None:
    builder.run(site.folder)
    assert KEPT not in builder.log.text
    builder.run(site.folder)
    assert KEPT in builder.log.text
    assert builder.output == {"x": "1\n"}
    builder.run(site.folder)
    assert KEPT in builder.log.text


@pytest.mark.parametrize(
    "change",
    [
        {"package_json": {"description": "other"}},
        {"license": "MIT"},
        {"commands": ("npm ci --cache .npm --no-audit --omit=dev", BUILD)},
        {"commands": ("export NODE_ENV=development; npm ci --cache .npm --no-audit", BUILD)},
        {"commands": ("echo fund=false > .npmrc; npm ci --cache .npm --no-audit", BUILD)},
    ],
)
def test_anything_else_is_not(site: Repository, builder: Builder, change: dict[str, object]) -> None:
    builder.run(site.folder)
    commands = change.pop("commands", ())
    project(site, *commands, **change)
    builder.run(site.folder)
    assert KEPT not in builder.log.text
    assert builder.output == {"x": "1\n"}
    builder.run(site.folder)
    assert KEPT in builder.log.text


@pytest.mark.parametrize(
    "spoil",
    [
        "sed -i s/1/5/ node_modules/left/index.js; touch -d 2020-01-01 node_modules/left/index.js",
        "echo > node_modules/left/more.js",
        "rm node_modules/left/package.json",
        "chmod +x node_modules/left/index.js",
        "mkdir node_modules/other",
    ],
)
def test_what_a_build_changed_is_installed_anew(site: Repository, builder: Builder, spoil: str) -> None:
    project(site, "npm ci --cache .npm --no-audit", BUILD, spoil)
    builder.run(site.folder)
    builder.run(site.folder)
    assert KEPT not in builder.log.text
    assert builder.output == {"x": "1\n"}


def test_scripts_that_may_reach_out_are_run(repository: Repository, builder: Builder) -> None:
    package(repository.folder, 1, scripts={"postinstall": "echo ran >> ../../ran"})
    allow = {"allowScripts": {"left": True}}
    project(repository, package_json=allow, hasInstallScript=True)
    for _ in range(2):
        builder.run(repository.folder)
        assert KEPT not in builder.log.text


@pytest.mark.parametrize(("script", "kept"), [("husky || true", True), ("echo hi", False)])
def test_scripts_of_the_project(site: Repository, builder: Builder, script: str, kept: bool) -> None:
    project(site, package_json={"scripts": {"prepare": script}})
    builder.run(site.folder)
    builder.run(site.folder)
    assert (KEPT in builder.log.text) is kept


def test_it_can_be_forbidden(site: Repository, builder: Builder) -> None:
    for _ in range(2):
        builder.run(site.folder, branch_variables={"PREAMP_NPM_CI": "real"})
        assert KEPT not in builder.log.text


def test_caches_of_bundlers_stay_and_other_leavings_go(site: Repository, builder: Builder) -> None:
    leave = "ls -A node_modules > dist/seen; mkdir -p node_modules/.{cache,tmp}; touch node_modules/.cache/a"
    project(site, "npm ci --cache .npm --no-audit", BUILD, leave)
    builder.run(site.folder)
    builder.run(site.folder)
    assert builder.output["seen"].split() == [".cache", ".package-lock.json", ".preamp-npm-ci.json", "left"]


def test_errors_of_npm_are_npms(site: Repository, builder: Builder) -> None:
    builder.run(site.folder)
    project(site, package_json={"dependencies": {"left": "file:left.tgz", "right": "1.0.0"}})
    with pytest.raises(BuildFailed, match="phase build failed with exit code 1"):
        builder.run(site.folder)
    assert "npm error" in builder.log.text
