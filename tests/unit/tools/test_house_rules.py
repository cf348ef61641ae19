"""Each rule finds what breaks it and leaves alone what does not; the repository itself keeps them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import house_rules
from tools.house_rules import check_text, check_tree

HEAD = '"""What lives here."""\n'
SLASH = "/"  # the examples are put together here, so that this file keeps the rules itself


def found(text: str, name: str = "src/preamp/room/module.py") -> list[str]:
    return list(check_text(name, text))


def test_this_repository() -> None:
    assert list(check_tree(house_rules.ROOT)) == []


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    x()\nexcept Exception:\n    pass\n",
        "try:\n    x()\nexcept:\n    ...\n",
        "def f():\n    try:\n        x()\n    except BaseException as e:\n        return None\n",
        "for _ in y:\n    try:\n        x()\n    except (OSError, Exception):\n        continue\n",
        "with contextlib.suppress(Exception):\n    x()\n",
    ],
)
def test_swallowed_exceptions(text: str) -> None:
    assert found(HEAD + text)[0].endswith("an exception is swallowed")


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    x()\nexcept FileNotFoundError:\n    pass\n",
        "try:\n    x()\nexcept Exception as e:\n    report(e)\n",
        "with contextlib.suppress(FileNotFoundError):\n    x()\n",
    ],
)
def test_handled_exceptions(text: str) -> None:
    assert found(HEAD + text) == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "XX" + "X", "good enough for n" + "ow"])
def test_words_of_unfinished_work(word: str) -> None:
    assert found(f"{HEAD}# {word}\n")[0].startswith("src/preamp/room/module.py:2: a word of unfinished work")
    assert found(f"# {word}\n", "docs/page.md") == []


def test_unfinished_function() -> None:
    assert len(found(f"{HEAD}def f():\n    raise NotImplementedError\n")) == 1
    assert found(f"{HEAD}try:\n    x()\nexcept NotImplementedError as e:\n    report(e)\n") == []


def test_long_modules_need_a_reason() -> None:
    body = "x = 1\n" * 600
    assert "602 lines" in found(f'"""What lives here."""\n\n{body}')[0]
    assert found(f'"""What lives here.\n\nOver 500 lines: the tables of the format."""\n{body}') == []


def test_modules_say_what_they_are() -> None:
    assert found("x = 1\n") == ["src/preamp/room/module.py:1: no docstring says what lives here"]
    assert found("x = 1\n", "tests/unit/test_module.py") == []


@pytest.mark.parametrize("path", ["wo" + "rk/main", "ro" + "ot/.npmrc", "ho" + "me/alice/site"])
def test_paths_of_one_machine(path: str) -> None:
    assert found(f"see {SLASH}{path}{SLASH}x\n", "docs/page.md")[0].startswith(
        "docs/page.md:1: a path of one"
    )
    assert found(f"see /srv/{path}/x and $HOME/{path}/x\n", "docs/page.md") == []


def test_cache_folders_of_older_build_specs() -> None:
    assert found(f"paths: ['{SLASH}root/.npm/**/*']\n", "docs/page.md") == []
    assert found(f"paths: ['{SLASH}root/.pyenv/**/*']\n", "docs/page.md")


def test_addresses_in_lock_files() -> None:
    assert found('{\n "resolved": "https://mirror.example/x.tgz"\n}', "site/package-lock.json")
    assert found("--index" + "-url https://mirror.example/simple\nx==1 \\\n", "requirements.lock")
    assert found("x @ https://mirror.example/x.whl\n", "requirements.lock")
    assert found("x==1 \\\n    --hash=sha256:00\n", "requirements.lock") == []


def test_hosts_of_registries() -> None:
    assert found("registry = https://registry.npm" + "js.org/\n", "examples/site/.npmrc")


def test_tree_covers_what_git_would_add(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("ignored/\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "new.py").write_text("x = 1\n")
    (tmp_path / "ignored").mkdir()
    (tmp_path / "ignored" / "src.py").write_text("x = 1\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    assert list(check_tree(tmp_path)) == ["src/new.py:1: no docstring says what lives here"]
