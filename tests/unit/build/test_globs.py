from __future__ import annotations

import time

import pytest

from preamp.build.globs import Selection, expand_braces


@pytest.mark.parametrize(
    ("patterns", "path", "selected"),
    [
        (["**/*"], "a/b/.well-known/c", True),
        (["**/*", "!**/*.map"], "js/a.js.map", False),
        (["**/*", "!**/*.map"], "js/a.js", True),
        (["*.html"], "index.html", True),
        (["*.html"], "sub/index.html", False),
        (["**/*.html"], "index.html", True),
        (["**/*.html"], "a/b/index.html", True),
        (["/css/**/*"], "css/a.css", True),
        (["./css/**"], "css/x/a.css", True),
        (["css"], "css/x/a.css", True),
        (["css/"], "css/x/a.css", True),
        (["css/*"], "css/x/a.css", True),  # `css/x` is named, so is all that is in it
        (["css/*.css"], "css/x/a.css", False),
        (["img/*.{png,jpg}"], "img/a.jpg", True),
        (["img/*.{png,jpg}"], "img/a.gif", False),
        (["[ab]?.txt"], "a1.txt", True),
        (["[!ab]?.txt"], "a1.txt", False),
        (["[^ab]?.txt"], "c1.txt", True),
        (["a.b"], "axb", False),
        (["a/**/z"], "a/z", True),
        (["a/**/z"], "a/b/c/z", True),
        (["!x"], "y", False),
        ([], "y", False),
    ],
)
def test_selection(patterns: list[str], path: str, selected: bool) -> None:
    assert (path in Selection(patterns)) is selected


def test_hostile_patterns_end() -> None:
    path = "a" * 200 + "/" + "/".join("a" * 60)
    started = time.process_time()
    for pattern in ("*a" * 100 + "b", "**/" * 200 + "b", "**/a/" * 100 + "b"):
        assert path not in Selection([pattern])
    assert time.process_time() - started < 30  # would be years if it could explode


def test_too_many_alternatives() -> None:
    assert sorted(expand_braces("{a,b}{1,2}")) == ["a1", "a2", "b1", "b2"]
    with pytest.raises(ValueError, match="alternatives"):
        Selection(["{a,b}" * 20])
