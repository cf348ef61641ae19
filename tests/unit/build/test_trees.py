from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from preamp.build.errors import BuildFailed
from preamp.build.trees import Moved, Tree, move
from tests.unit.build.next.support import contents


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "src"
    put(source / "a/one.js", "one")
    put(source / "a/deep/two.js", "two")
    put(source / "b/three.js", "three")
    return source


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def moved(
    source: Path, *trees: Tree, copy: bool = False, **links: str
) -> tuple[Moved, dict[str, str], list[str]]:
    output = source.parent / "output"
    output.mkdir()
    warnings: list[str] = []
    result = move(trees, links=links, output=output, copy=copy, warn=warnings.append)
    return result, contents(output), warnings


def test_files_go_where_they_are_said_to(source: Path) -> None:
    result, seen, warnings = moved(
        source, Tree(source=source / "a", target="x/y"), Tree(source=source / "b", target="")
    )
    assert seen == {"x/y/one.js": "one", "x/y/deep/two.js": "two", "three.js": "three"}
    assert result.files == ("three.js", "x/y/deep/two.js", "x/y/one.js")
    assert result.total_bytes == 11
    assert not warnings
    assert not (source / "a/one.js").exists()


def test_a_copy_leaves_the_source(source: Path) -> None:
    moved(source, Tree(source=source, target=""), copy=True)
    assert (source / "a/one.js").read_text() == "one"


def test_a_single_file(source: Path) -> None:
    assert moved(source, Tree(source=source / "b/three.js", target="in/3"))[1] == {"in/3": "three"}


def test_names_that_stay(source: Path) -> None:
    put(source / "a/deep/b/four.js", "four")
    _, seen, _ = moved(source, Tree(source=source / "a", target="", leave=frozenset({"one.js", "b"})))
    assert sorted(seen) == ["deep/b/four.js", "deep/two.js"], "names count only at the top"


def test_the_first_file_of_a_place_wins(source: Path) -> None:
    put(source / "c/one.js", "other")
    assert moved(source, *(Tree(source=source / name, target="") for name in "ca"))[1]["one.js"] == "other"


def test_modes_and_second_names(source: Path) -> None:
    (source / "a/one.js").chmod(0o755)
    os.link(source / "a/one.js", source / "second")
    moved(source, Tree(source=source / "a", target=""))
    placed = source.parent / "output/one.js"
    assert stat.S_IMODE(placed.stat().st_mode) == 0o755
    assert placed.stat().st_nlink == 1, "whoever has the other name cannot change this file"


def test_links_that_stay_inside_are_kept(source: Path) -> None:
    (source / "a/link").symlink_to("deep/two.js")
    (source / "a/deep/up").symlink_to("../one.js")
    _, seen, warnings = moved(source, Tree(source=source / "a", target="x"))
    assert (seen["x/link"], seen["x/deep/up"]) == ("-> deep/two.js", "-> ../one.js")
    assert not warnings


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "../../../src/b/three.js", "nowhere", "link", "../../output/x/one.js"]
)
def test_links_that_lead_out_are_left_out(source: Path, text: str) -> None:
    (source / "a/link").symlink_to(text)
    _, seen, warnings = moved(source, Tree(source=source / "a", target="x"))
    assert sorted(seen) == ["x/deep/two.js", "x/one.js"]
    assert warnings == ["x/link is left out: it is a link that leads nowhere or out of the output"]


def test_a_link_to_a_link_that_leads_out(source: Path) -> None:
    (source / "a/bad").symlink_to("/etc")
    (source / "a/worse").symlink_to("bad/passwd")
    assert sorted(moved(source, Tree(source=source / "a", target=""))[1]) == ["deep/two.js", "one.js"]


def test_nothing_is_written_through_a_link(source: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (source / "a/b").symlink_to(victim)
    trees = (Tree(source=source / "a", target=""), Tree(source=source / "b", target="b"))
    _, seen, _ = moved(source, *trees, **{"b/ours": "three.js"})
    assert not list(victim.iterdir())
    assert (seen["b/three.js"], seen["b/ours"]) == ("three", "-> three.js")


def test_a_source_that_is_a_link(source: Path) -> None:
    (source / "c").symlink_to("/etc")
    assert moved(source, Tree(source=source / "c", target="c"))[1] == {}


def test_our_links_go_before_those_of_the_trees_and_after_files(source: Path) -> None:
    (source / "a/mine").symlink_to("one.js")
    _, seen, _ = moved(
        source, Tree(source=source / "a", target=""), **{"mine": "deep/two.js", "one.js": "deep"}
    )
    assert (seen["mine"], seen["one.js"]) == ("-> deep/two.js", "one")


def test_pipes_are_left_out(source: Path) -> None:
    os.mkfifo(source / "a/pipe")
    _, seen, warnings = moved(source, Tree(source=source / "a", target=""))
    assert "pipe" not in seen
    assert warnings == ["pipe is left out: it is neither a file nor a folder"]


def test_too_many_files(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preamp.build.trees.MAX_FILES", 2)
    with pytest.raises(BuildFailed, match="more than 2 files"):
        moved(source, Tree(source=source, target=""))


def test_a_folder_where_an_earlier_tree_has_a_file(source: Path) -> None:
    put(source / "b/deep", "a file")
    with pytest.raises(BuildFailed, match="both a file and a folder for deep"):
        moved(source, *(Tree(source=source / name, target="") for name in "ba"))
