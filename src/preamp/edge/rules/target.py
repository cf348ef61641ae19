"""What a rule's `target` becomes for a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from preamp.edge.rules.errors import IgnoredRule
from preamp.edge.rules.source import Captures

_TOKEN = re.compile(r"<(\*|[A-Za-z0-9_-]+)>")
_ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A path of the site or an absolute URL, with placeholders."""

    path: str
    """Or the URL, up to its query."""
    query: str | None
    fragment: str
    is_absolute: bool

    def fill(self, captures: Captures, *, extra_path: str = "", forward_query: str = "") -> str:
        """The URL; a query of the target's own wins over a forwarded one."""
        url = _TOKEN.sub(lambda token: captures.get(token[1], token[0]), self.path)
        if extra_path:
            url = url.rstrip("/") + extra_path
        if self.query is not None:
            url += "?" + _TOKEN.sub(lambda token: _as_value(captures, token), self.query)
        elif forward_query:
            url += "?" + forward_query
        return url + self.fragment


def parse_target(text: str) -> Target:
    """Raises IgnoredRule."""
    text = text.strip()
    absolute = bool(_ABSOLUTE.match(text))
    if not absolute and not text.startswith("/"):
        raise IgnoredRule("the target has to begin with `/` or `https://`")
    rest, mark, fragment = text.partition("#")
    path, question, query = rest.partition("?")
    return Target(
        path=path,
        query=query if question else None,
        fragment=mark + fragment,
        is_absolute=absolute,
    )


def _as_value(captures: Captures, token: re.Match[str]) -> str:
    value = captures.get(token[1])
    # In a query, `&` and `=` of a captured value must not become further parameters.
    return token[0] if value is None else quote(unquote_to_bytes(value), safe="-._~/:@!$'()*,")
