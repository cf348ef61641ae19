from __future__ import annotations

from pathlib import Path

import pytest

from preamp.build.keep import kept_paths


@pytest.mark.parametrize(
    ("paths", "command", "lock", "kept"),
    [
        ([".npm/**/*"], "npm ci --cache .npm", "package-lock.json", True),
        ([".npm/**/*"], "cd . && npm clean-install", "npm-shrinkwrap.json", True),
        ([], "npm ci", "package-lock.json", False),
        (["node_modules/**/*"], "npm ci", "package-lock.json", False),
        ([".npm/**/*"], "npm install", "package-lock.json", False),
        ([".npm/**/*"], "npm cipher", "package-lock.json", False),
        ([".npm/**/*"], "npm ci", "yarn.lock", False),
    ],
)
def test_kept_paths(tmp_path: Path, paths: list[str], command: str, lock: str, kept: bool) -> None:
    (tmp_path / lock).touch()
    assert kept_paths(paths, commands=[command], folder=tmp_path) == (("node_modules/**/*",) if kept else ())
