from __future__ import annotations

import sys
import unicodedata

import pytest

from preamp.aws.patterns import compile_pattern


@pytest.mark.parametrize(
    ("java", "good", "bad"),
    [
        ("d[a-z0-9]+", ["d1"], ["xd1", "d1!", "d1\n", "d"]),
        ("[0-9]+", ["0"], ["٣", "", "1 "]),
        ("\\d*", ["", "12"], ["٣"]),
        (".{3,7}", ["404"], ["4\r4", "4\u20284", "4\x854"]),
        ("(?s).+", ["a\n\u2028"], [""]),
        ("^$|^arn:aws:iam::\\d{12}:role.+", ["", "arn:aws:iam::123456789012:role/x"], ["\n", "arn"]),
        ("^(?!aws:)[a-zA-Z+-=._:/]+$", ["a1", "x/y:z"], ["aws:a", "a b", "a\n"]),
    ],
)
def test_java_meaning(java: str, good: list[str], bad: list[str]) -> None:
    compiled = compile_pattern(java)
    assert [text for text in good if not compiled.fullmatch(text)] == []
    assert [text for text in bad if compiled.fullmatch(text)] == []


def test_unicode_categories_are_exact() -> None:
    compiled = compile_pattern("^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$")
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        expected = unicodedata.category(char)[0] in "LZN" or char in "_.:/=+-@"
        if bool(compiled.fullmatch(char)) != expected:
            pytest.fail(f"U+{code:04X}")


@pytest.mark.parametrize("java", ["\\p{L}", "[\\P{L}]", "[a[b]]", "a\\", "[\\p{Nonsense}]"])
def test_what_would_mean_something_else_is_refused(java: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|category"):
        compile_pattern(java)
