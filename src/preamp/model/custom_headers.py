"""Custom response headers: the YAML of customHttp.yml and of `App.customHeaders`.

Behaviour reference 7.6. The text is read once, when a release is published; the release keeps the
result in `normalised` form, so that an edge never meets a mistake in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_TEXT = 25 * 1024
"""Characters; the quota of Amplify for customHeaders."""

FRAMING = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "date",
        "etag",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that describe the bytes on the wire: setting them would break the answer, so it is an error."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True, slots=True)
class HeaderRule:
    """The headers that answers to matching paths carry."""

    pattern: str
    headers: tuple[tuple[str, str], ...]
    """(name as written, value)."""


class CustomHeadersError(ValueError):
    """The text is not a list of custom headers; the message has line and column where there is one."""


def parse_custom_headers(text: str, *, app_root: str | None = None) -> tuple[HeaderRule, ...]:
    """The rules of `text` in their order; an empty text has none.

    A monorepo's text has `applications`, of which the one with `appRoot` equal to `app_root` counts.
    Raises CustomHeadersError.
    """
    if len(text) > MAX_TEXT:
        raise CustomHeadersError(
            f"custom headers are {len(text)} characters long, the most is {MAX_TEXT}: shorten them"
        )
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        hint = "; quote patterns that begin with `*`" if "alias" in str(error) else ""
        raise CustomHeadersError(f"{where}not valid YAML: {error.problem or error.context}{hint}") from error
    except YAMLError as error:
        raise CustomHeadersError(f"not valid YAML: {error}") from error
    if root is None or (isinstance(root, ScalarNode) and root.value in {"", "null", "~"}):
        return ()
    top = _mapping(root, "the text", "a mapping with `customHeaders`")
    if "applications" in top:
        top = _application(top["applications"], app_root)
    entries = top.get("customHeaders")
    if entries is None or (isinstance(entries, ScalarNode) and entries.value in {"", "null", "~"}):
        return ()
    return tuple(_rule(node) for node in _sequence(entries, "customHeaders"))


def normalised(rules: tuple[HeaderRule, ...]) -> str:
    """The rules as JSON, which is also YAML that `parse_custom_headers` accepts."""
    return json.dumps(
        {
            "customHeaders": [
                {
                    "pattern": rule.pattern,
                    "headers": [{"key": name, "value": value} for name, value in rule.headers],
                }
                for rule in rules
            ]
        },
        ensure_ascii=False,
    )


def from_normalised(text: str | None) -> tuple[HeaderRule, ...]:
    """The inverse of `normalised`, much faster than reading YAML."""
    entries = json.loads(text)["customHeaders"] if text else []
    return tuple(
        HeaderRule(
            pattern=entry["pattern"],
            headers=tuple((item["key"], item["value"]) for item in entry["headers"]),
        )
        for entry in entries
    )


def _application(node: Node, app_root: str | None) -> dict[str, Node]:
    wanted = _normal_root(app_root or "")
    for item in _sequence(node, "applications"):
        application = _mapping(item, "an entry of `applications`", "a mapping with `appRoot`")
        root = application.get("appRoot")
        if isinstance(root, ScalarNode) and _normal_root(root.value) == wanted:
            return application
    return {}


def _normal_root(text: str) -> str:
    """`./apps/web/` and `/apps/web` -> `apps/web`; the repository itself is empty."""
    return "/".join(part for part in text.strip().split("/") if part not in {"", "."})


def _rule(node: Node) -> HeaderRule:
    entry = _mapping(node, "an entry of `customHeaders`", "a mapping with `pattern` and `headers`")
    pattern = _text(node, entry, "pattern")
    if not pattern:
        raise _error(entry["pattern"], "`pattern` is empty; `**/*` means every path")
    headers = entry.get("headers")
    if headers is None:
        raise _error(node, f"the entry for pattern {pattern!r} has no `headers`")
    return HeaderRule(pattern=pattern, headers=tuple(_headers(headers)))


def _headers(node: Node) -> Iterator[tuple[str, str]]:
    for item in _sequence(node, "headers"):
        header = _mapping(item, "an entry of `headers`", "a mapping with `key` and `value`")
        name, value = _text(item, header, "key"), _text(item, header, "value").strip()
        if not _NAME.fullmatch(name):
            raise _error(header["key"], f"{name!r} is not a header name")
        if name.lower() in FRAMING:
            raise _error(
                header["key"], f"the header {name!r} cannot be set: it describes the transfer itself"
            )
        if _BAD_VALUE.search(value):
            raise _error(header["value"], f"the value of {name!r} has a line break or control character")
        yield name, value


def _mapping(node: Node, what: str, expected: str) -> dict[str, Node]:
    if not isinstance(node, MappingNode):
        raise _error(node, f"{what} has to be {expected}")
    return {key.value: value for key, value in node.value if isinstance(key, ScalarNode)}


def _sequence(node: Node, what: str) -> list[Node]:
    if not isinstance(node, SequenceNode):
        raise _error(node, f"`{what}` has to be a list")
    return list(node.value)


def _text(parent: Node, mapping: dict[str, Node], key: str) -> str:
    node = mapping.get(key)
    if node is None:
        raise _error(parent, f"`{key}` is missing")
    if not isinstance(node, ScalarNode):
        raise _error(node, f"`{key}` has to be text")
    return str(node.value)


def _error(node: Node, message: str) -> CustomHeadersError:
    mark = node.start_mark
    return CustomHeadersError(f"line {mark.line + 1}, column {mark.column + 1}: {message}")
