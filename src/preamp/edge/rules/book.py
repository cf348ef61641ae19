"""An app's rules, compiled once when its settings change."""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from preamp.edge.request import Request
from preamp.edge.rules.errors import IgnoredRule
from preamp.edge.rules.index import PathIndex
from preamp.edge.rules.source import Captures, DomainSource, PathSource, Source, parse_source
from preamp.edge.rules.target import Target, parse_target
from preamp.model.apps import CustomRule

_COUNTRY = re.compile(r"<([A-Za-z]{2})>")


BREATH = 32
"""Rules after which a compiling thread lets others run: half a millisecond, while 50,000 take a second."""


class Kind(StrEnum):
    """What a rule does, by its `status`."""

    REWRITE = "200"  # serve the target instead, before files are looked up
    MOVED = "301"  # redirect, before files are looked up
    FOUND = "302"  # the same, not permanent
    MISSING_REDIRECT = "404"  # redirect when nothing else answers
    MISSING_REWRITE = "404-200"  # serve the target with status 404 when nothing else answers


BEFORE_FILES = frozenset({Kind.REWRITE, Kind.MOVED, Kind.FOUND})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule that can apply."""

    number: int
    """Its place in the app's list, from 0."""
    kind: Kind
    source: Source
    target: Target
    country: str | None

    def url(self, request: Request, captures: Captures) -> str:
        """Where it leads, with the query forwarded as behaviour reference 7.2 says."""
        domain = isinstance(self.source, DomainSource)
        own_query = isinstance(self.source, PathSource) and self.source.query
        return self.target.fill(
            captures,
            extra_path=request.path if domain else "",
            forward_query="" if own_query else request.query,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    rule: Rule
    captures: Captures


class _Group:
    """Rules that are asked at the same moment of a request."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_number = {rule.number: rule for rule in rules}
        self._paths = PathIndex()
        self._others: list[int] = []
        for rule in rules:
            if isinstance(rule.source, PathSource) and rule.source.is_simple:
                self._paths.add(rule.source.segments, rule.number)
            else:
                self._others.append(rule.number)

    def matches(self, request: Request) -> Iterator[Match]:
        for number in heapq.merge(self._paths.find(request.path), self._others):
            rule = self._by_number[number]
            if rule.country is not None and rule.country != request.country:
                continue
            captures = rule.source.captures(request)
            if captures is not None:
                yield Match(rule=rule, captures=captures)


class RuleBook:
    """All rules of an app."""

    def __init__(self, rules: Sequence[CustomRule]) -> None:
        self.source = tuple(rules)
        self.ignored: dict[int, str] = {}
        """Why rules are left out, by their place in the list."""
        kept: list[Rule] = []
        for number, rule in enumerate(rules):
            if number % BREATH == 0:
                time.sleep(0)
            try:
                kept.append(_compile(number, rule))
            except IgnoredRule as error:
                self.ignored[number] = str(error)
        self.rules = {rule.number: rule for rule in kept}
        """Those that can apply, by their place in the list."""
        self._before = _Group([rule for rule in kept if rule.kind in BEFORE_FILES])
        self._after = _Group([rule for rule in kept if rule.kind not in BEFORE_FILES])
        self.has_conditions = any(rule.country is not None for rule in kept)

    def before_files(self, request: Request) -> Iterator[Match]:
        """Matching 200, 301 and 302 rules in the order of the list."""
        return self._before.matches(request)

    def after_files(self, request: Request) -> Iterator[Match]:
        """Matching 404 and 404-200 rules in the order of the list."""
        return self._after.matches(request)


def _compile(number: int, rule: CustomRule) -> Rule:
    try:
        kind = Kind(rule.status) if rule.status else Kind.MOVED
    except ValueError:
        raise IgnoredRule(f"the status {rule.status!r} is none of 200, 301, 302, 404, 404-200") from None
    target = parse_target(rule.target)
    if kind is Kind.MISSING_REWRITE and target.is_absolute:
        raise IgnoredRule("a 404-200 rule needs a target inside the site")
    country = None
    if rule.condition:
        match = _COUNTRY.fullmatch(rule.condition.strip())
        if not match:
            raise IgnoredRule(f"the condition {rule.condition!r} is not a country such as <US>")
        country = match[1].upper()
    return Rule(number=number, kind=kind, source=parse_source(rule.source), target=target, country=country)
