"""What a rule's `source` says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

import re2

from preamp.edge.hosts import without_port
from preamp.edge.paths import SAFE, canonical
from preamp.edge.request import Request
from preamp.edge.rules.errors import IgnoredRule
from preamp.edge.rules.regex import Matcher, compile_regex

WILDCARD = "<*>"
_TOKEN = re.compile(r"<(\*|[A-Za-z0-9_-]+)>")
_DOMAIN = re.compile(r"(https?)://([^/?#]+)(.*)", re.IGNORECASE | re.DOTALL)

Captures = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class PathSource:
    """A path with placeholders, and maybe wanted query parameters."""

    segments: tuple[str, ...]
    """Canonical; `<name>` and `<*>` as written."""
    query: tuple[tuple[str, str], ...]
    """(parameter, value or `<name>`)."""
    pattern: re2._Regexp | None
    """Set when a placeholder is only a part of a segment."""
    names: tuple[str, ...]

    @property
    def is_simple(self) -> bool:
        """Whether whole segments decide, so that the index of paths can hold it."""
        return self.pattern is None

    def captures(self, request: Request) -> dict[str, str] | None:
        """For a path that the index found, or any path when there is a pattern."""
        if self.pattern is not None:
            match = self.pattern.fullmatch(request.path)
            if not match:
                return None
            found = dict(zip(self.names, match.groups(), strict=True))
        else:
            parts = request.path.split("/")[1:]
            found = {}
            for place, segment in enumerate(self.segments):
                if segment.endswith(WILDCARD):
                    rest = "/".join(parts[place:])
                    found["*"] = rest[len(segment) - len(WILDCARD) :]
                elif segment.startswith("<"):
                    found[segment[1:-1]] = parts[place]
        return self._with_query(request, found)

    def _with_query(self, request: Request, found: dict[str, str]) -> dict[str, str] | None:
        if self.query:
            given = dict(reversed(parse_qsl(request.query, keep_blank_values=True)))
            for name, wanted in self.query:
                value = given.get(name)
                if value is None:
                    return None
                token = _TOKEN.fullmatch(wanted)
                if token:
                    found[token[1]] = quote(value, safe=SAFE)
                elif value != wanted:
                    return None
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class RegexSource:
    matcher: Matcher

    def captures(self, request: Request) -> Captures | None:
        path = request.decoded_path
        return {} if path is not None and self.matcher(path.encode()) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainSource:
    scheme: str
    host: str

    def captures(self, request: Request) -> Captures | None:
        # Amplify serves sites by https only; where TLS ends before us, the request comes as http.
        scheme_fits = self.scheme == "https" or request.scheme == self.scheme
        return {} if scheme_fits and without_port(request.authority) == self.host else None


Source = PathSource | RegexSource | DomainSource


def parse_source(text: str) -> Source:
    """Raises IgnoredRule."""
    text = text.strip()
    if text.startswith("</") and text.endswith("/>") and len(text) > len("<//>"):
        return RegexSource(matcher=compile_regex(text[2:-2]))
    domain = _DOMAIN.fullmatch(text)
    if domain:
        if domain[3] not in {"", "/"}:
            raise IgnoredRule("a source with a domain cannot have a path")
        return DomainSource(scheme=domain[1].lower(), host=without_port(domain[2]))
    if not text.startswith("/"):
        raise IgnoredRule("the source has to begin with `/`, `</` or `https://`")
    return _path_source(text)


def _path_source(text: str) -> PathSource:
    path, _, query = text.partition("?")
    tokens = _TOKEN.findall(path)
    if tokens.count("*") > 1 or ("*" in tokens and not path.endswith(WILDCARD)):
        raise IgnoredRule("`<*>` may stand only once, at the end of the source")
    if len(set(tokens)) != len(tokens):
        raise IgnoredRule("the source has the same placeholder twice")
    segments = tuple(_canonical_segment(segment) for segment in path.split("/")[1:])
    simple = all(
        segment.endswith(WILDCARD) and place == len(segments) - 1 and "<" not in segment[: -len(WILDCARD)]
        for place, segment in enumerate(segments)
        if "<" in segment and not _TOKEN.fullmatch(segment)
    )
    return PathSource(
        segments=segments,
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        pattern=None if simple else _pattern(segments),
        names=tuple(tokens),
    )


def _canonical_segment(segment: str) -> str:
    parts = re.split(r"(<(?:\*|[A-Za-z0-9_-]+)>)", segment)
    return "".join(part if _TOKEN.fullmatch(part) else canonical(part) for part in parts)


def _pattern(segments: tuple[str, ...]) -> re2._Regexp:
    out = ""
    for part in re.split(r"(<(?:\*|[A-Za-z0-9_-]+)>)", "/" + "/".join(segments)):
        if part == WILDCARD:
            out += "(.*)"
        elif _TOKEN.fullmatch(part):
            out += "([^/]+)"
        else:
            out += re2.escape(part)
    return re2.compile(out)
