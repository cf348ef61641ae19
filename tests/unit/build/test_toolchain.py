from __future__ import annotations

import json
from pathlib import Path

import pytest

from preamp.build.toolchain import matches, normal_version, wants_node, wishes


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("22", "22"), ("v20.11.1", "20.11.1"), ("18.x", "18"), ("lts/*", "22"), ("lts/iron", "20"),
        ("node", "22"), ("$NODE_VERSION", None), ("lts/unknown", None), ("", None),
    ],
)  # fmt: skip
def test_versions(text: str, version: str | None) -> None:
    assert normal_version(text) == version


def test_wishes_of_commands(tmp_path: Path) -> None:
    commands = [
        "nvm install 22 && nvm use 22",
        "nvm install --lts",
        "nvm use $VERSION",
        "echo nvm",
        "nvm use v18.20",
    ]
    assert [wish.version for wish in wishes(tmp_path, "", commands)] == ["22", "22", "22", "18.20"]


def test_nvmrc_wins_over_engines_and_the_application_over_the_root(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"engines": {"node": "18.x"}}))
    assert [wish.version for wish in wishes(tmp_path, "", [])] == ["18"]
    (tmp_path / ".nvmrc").write_text("# ours\nv20\n")
    assert [wish.version for wish in wishes(tmp_path, "", [])] == ["20"]
    (tmp_path / "web").mkdir()
    (tmp_path / "web/.nvmrc").write_text("22")
    assert [wish.version for wish in wishes(tmp_path, "web", [])] == ["22"]


@pytest.mark.parametrize(
    ("engines", "version"),
    [(">=18", ">=18"), ("^20.1.0", "20"), ("18 || 20 || >=22", "20"), ("*", None), (">=18 <21", ">=18")],
)
def test_engines(tmp_path: Path, engines: str, version: str | None) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"engines": {"node": engines}}))
    assert [wish.version for wish in wishes(tmp_path, "", [])] == ([version] if version else [])


def test_a_link_out_of_the_repository_is_no_wish(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("22")
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/.nvmrc").symlink_to("../outside")
    assert wishes(tmp_path / "repo", "", []) == []


def test_matches() -> None:
    assert matches("22.20.0", "22")
    assert matches("22.20.0", ">=18")
    assert not matches("22.20.0", "2")
    assert matches("22.20.0", "")


def test_wants_node(tmp_path: Path) -> None:
    assert not wants_node(tmp_path, "", ["hugo --minify", "make nodes"])
    assert wants_node(tmp_path, "", ["cd x && npm ci"])
    (tmp_path / "package.json").write_text("{}")
    assert wants_node(tmp_path, "", [])
