"""Node in builds: the machine's, and `nvm`, `corepack`, `sudo` as build specs use them."""

from __future__ import annotations

import json

import pytest

from preamp.build.errors import BuildFailed
from tests.integration.build.support import Builder, Repository, spec

pytestmark = pytest.mark.needs("git", "bwrap", "node", "npm")

BUILD = (
    "const fs = require('fs'); fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', process.env.TITLE)"
)


def test_a_small_node_project(repository: Repository, builder: Builder) -> None:
    package = {"name": "site", "version": "1.0.0", "scripts": {"build": "node build.js"}}
    lock = {"name": "site", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": package}}
    repository.commit(
        {"package.json": json.dumps(package), "package-lock.json": json.dumps(lock), "build.js": BUILD}
    )
    result = builder.run(repository.folder, app_variables={"TITLE": "made"})
    assert builder.output == {"index.html": "made"}
    assert "# Executing command: npm ci --cache .npm --prefer-offline" in builder.log.text
    assert "Node: " in result.context


def test_nvm_without_a_download(repository: Repository, builder: Builder) -> None:
    major = "$(node --version | tr -dc '0-9.' | cut -d. -f1)"
    commands = [
        f"nvm use {major}",
        "mkdir dist; nvm current > dist/x; . ~/.nvm/nvm.sh; nvm ls; nvm --version",
    ]
    repository.commit({"amplify.yml": spec(*commands)})
    builder.run(repository.folder)
    assert builder.output["x"].startswith("v")
    assert "Now using node v" in builder.log.text


def test_a_version_nobody_has(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec("V=3; nvm use $V")})
    with pytest.raises(BuildFailed, match="exit code 3"):
        builder.run(repository.folder)
    assert 'version "3" is not available in this build' in builder.log.text


def test_global_installs_and_sudo(repository: Repository, builder: Builder) -> None:
    commands = [
        'mkdir -p tool dist; echo \'{"name":"tool","version":"1.0.0","bin":"t.js"}\' > tool/package.json',
        "printf '#!/usr/bin/env node\\nconsole.log(1)' > tool/t.js; chmod +x tool/t.js",
        "npm i -g ./tool --offline",
        "tool > dist/x; sudo -E sh -c 'echo sudo >> dist/x'",
        "sudo dd if=/dev/zero of=/swapfile; sudo swapon /swapfile",
    ]
    repository.commit({"amplify.yml": spec(*commands)})
    builder.run(repository.folder)
    assert builder.output["x"] == "1\nsudo\n"
