from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.request import Request
from preamp.edge.rules.book import RuleBook
from preamp.model.apps import CustomRule


def request(path: str, query: str = "") -> Request:
    return Request(method="GET", scheme="http", authority="x", raw_path=path, query=query, headers={})


def first(book: RuleBook, path: str) -> int | None:
    match = next(book.before_files(request(path)), None)
    return match.rule.number if match else None


SEGMENT = st.sampled_from(["a", "b", "ab", "", "<x>", "<y>", "a<z>"])
SOURCE = st.tuples(st.lists(SEGMENT, min_size=1, max_size=4), st.sampled_from(["", "/<*>", "<*>"])).map(
    lambda parts: "/" + "/".join(parts[0]) + parts[1]
)
PATH = st.lists(st.sampled_from(["a", "b", "ab", "", "abc"]), min_size=1, max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)


def naive(source: str, path: str) -> bool:
    pattern = "".join(
        "(.*)" if part == "<*>" else "([^/]+)" if part.startswith("<") else re.escape(part)
        for part in re.split(r"(<[^>]+>)", source)
    )
    return re.fullmatch(pattern, path) is not None


@given(sources=st.lists(SOURCE, max_size=12), path=PATH)
def test_the_index_finds_what_trying_each_rule_in_turn_finds(sources, path):
    book = RuleBook([CustomRule(source=source, target="/t") for source in sources])
    expected = next(
        (n for n, source in enumerate(sources) if n not in book.ignored and naive(source, path)), None
    )
    assert first(book, path) == expected


def test_many_rules_cost_no_more_than_few():
    rules = [CustomRule(source=f"/old/{n}/page", target=f"/new/{n}", status="301") for n in range(50_000)]
    book = RuleBook(rules)
    assert first(book, "/old/49999/page") == 49_999
    tried = []

    class Counting(dict):
        def __getitem__(self, number):
            tried.append(number)
            return super().__getitem__(number)

    book._before._by_number = Counting(book._before._by_number)
    assert first(book, "/old/25000/page") == 25_000
    assert first(book, "/nothing") is None
    assert tried == [25_000]


def test_ignored_rules_have_reasons():
    book = RuleBook(
        [
            CustomRule(source="/a", target="/b", status="307"),
            CustomRule(source="/<*>/a", target="/b"),
            CustomRule(source="/<x>/<x>", target="/b"),
            CustomRule(source="a", target="/b"),
            CustomRule(source="/a", target="b"),
            CustomRule(source="https://a.example/path", target="/b"),
            CustomRule(source="</(/>", target="/b"),
            CustomRule(source="/a", target="/b", condition="US"),
            CustomRule(source="/a", target="https://a.example/", status="404-200"),
            CustomRule(source="/fine", target="/b"),
        ]
    )
    assert sorted(book.ignored) == list(range(9))
    assert "307" in book.ignored[0]
    assert "at the end" in book.ignored[1]
    assert "twice" in book.ignored[2]
    assert "source has to begin" in book.ignored[3]
    assert "target has to begin" in book.ignored[4]
    assert "cannot have a path" in book.ignored[5]
    assert "regular expression" in book.ignored[6]
    assert "country" in book.ignored[7]
    assert "inside the site" in book.ignored[8]
    assert first(book, "/fine") == 9


@given(st.text(max_size=40), st.text(max_size=40), st.text("/<*>ab?=", max_size=20))
def test_any_text_is_a_rule_or_is_ignored(source, target, path):
    book = RuleBook([CustomRule(source=source, target=target), CustomRule(source="/" + path, target="/t")])
    for match in book.before_files(request("/ab/a", "a=b")):
        assert isinstance(match.rule.url(request("/ab/a", "a=b"), match.captures), str)
