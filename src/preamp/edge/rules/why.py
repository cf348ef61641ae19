"""Why a rule does not answer a request, in a sentence for its author."""

from __future__ import annotations

from preamp.edge.request import Request
from preamp.edge.rules.book import BEFORE_FILES, Rule, RuleBook
from preamp.edge.rules.index import PathIndex
from preamp.edge.rules.source import DomainSource, PathSource, RegexSource


def why_not(book: RuleBook, number: int, request: Request) -> str | None:
    """None when it matches; then something before it was faster, or its target cannot be served."""
    rule = book.rules.get(number)
    if rule is None:
        return f"ignored: {book.ignored[number]}"
    if rule.country is not None and rule.country != request.country:
        return f"only for {rule.country}; the visitor's country is {request.country or 'unknown'}"
    return _source(rule, request)


def applies_after_files(rule: Rule) -> bool:
    return rule.kind not in BEFORE_FILES


def _source(rule: Rule, request: Request) -> str | None:
    match rule.source:
        case RegexSource() as source:
            return None if source.captures(request) is not None else "the expression does not match the path"
        case DomainSource() as source:
            if source.captures(request) is not None:
                return None
            return f"only for {source.scheme}://{source.host}"
        case PathSource() as source:
            return _path(source, request)


def _path(source: PathSource, request: Request) -> str | None:
    if source.is_simple:
        index = PathIndex()
        index.add(source.segments, 0)
        fits = bool(index.find(request.path))
    else:
        fits = source.pattern is not None and source.pattern.fullmatch(request.path) is not None
    if not fits:
        return "the path is another one"
    if source.captures(request) is not None:
        return None
    wanted = "&".join(f"{name}={value}" for name, value in source.query)
    return f"the query is not {wanted}"
