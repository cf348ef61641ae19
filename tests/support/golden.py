"""Golden cases of the edge: one text file a case, readable as documentation.

    What the case shows, in a sentence or two.

    files:
      index.html: <h1>home</h1>          one line: path and content; `xN` after it repeats it N times
      big.css: words  x400
    rules:
      /old -> /new 301 <US>              source -> target status condition
    headers:
      customHeaders: ...                 YAML
    auth: user:password                  basic authentication of the app
    branch-auth: user:password           of the branch; `off` switches the app's off
    allow: 192.0.2.0/24, ::1/128        who may visit; `deny`, `branch-allow`, `branch-deny` too
    maintenance: text                    the branch shows the maintenance page
    skew: on                             the branch has skew protection
    immutable: on                        the app has immutable assets
    earlier:                             files of an earlier release; oldest first, as jobs 1, 2
      old.js: 1
    earlier-headers:                     YAML of the last of these
    domain: www.{app}.example            a verified custom host; again for more
    routes:                              the files are static/ of a bundle with these routes and a server,
      /*.* -> Static (max-age=2), Compute    which is the one in tests.support.upstream; after the comma
      /* -> Compute                      the fallback
    app-root: packages/web               of a monorepo's custom headers
    host: main.{app}.localhost           when it is another
    request:
      POST /about
      Accept: */*
      body: text                         sent with its length
    answer:
      200
      Content-Type: text/html; charset=utf-8
      !Location                          has to be absent
      body: <h1>about</h1>               exact; `{file:PATH}` is a file's content
      body has: text
      body lacks: text

`request:` and `answer:` may follow each other several times. In all of them, in the host and in sources of
rules `{app}` is the app's id; `{etag:PATH}`, `{etag:PATH:br}` the ETag of a file or its twin,
`{size:PATH:br}` its length in bytes. `{upstream}` is the URL of the server in tests.support.upstream,
`{upstream-host}` its host and port. The edge trusts 127.0.0.1, where requests come from, as a proxy.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import brotli

from preamp.edge.conditional import etag
from preamp.model.apps import CustomRule
from preamp.model.releases import Body, Encoding, Manifest
from tests.support.compute import target
from tests.support.edge import Reply

_RULE = re.compile(r"(\S+) -> (\S+)(?: (\S+?))?(?: (<\w+>))?")
_ROUTE = re.compile(r"(\S+) -> (\w+)(?: \((.*?)\))?(?:, (\w+)(?: \((.*?)\))?)?")
_FIELD = re.compile(r"\{(app|etag|size|file|upstream|upstream-host)(?::([^:}]+))?(?::(\w+))?\}")
_LISTS = {"allow", "deny", "branch-allow", "branch-deny"}
_TEXTS = {"auth", "host", "branch-auth", "maintenance", "app-root"}
_SWITCHES = {"skew", "immutable"}


@dataclass
class Exchange:
    line: int
    request: list[str]
    answer: list[str]


@dataclass
class Case:
    title: str
    files: dict[str, bytes] = field(default_factory=dict)
    rules: list[CustomRule] = field(default_factory=list)
    headers: str | None = None
    auth: str | None = None
    host: str = "main.{app}.localhost"
    branch_auth: str | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    branch_allow: tuple[str, ...] = ()
    branch_deny: tuple[str, ...] = ()
    maintenance: str | None = None
    skew: bool = False
    immutable: bool = False
    earlier: list[tuple[dict[str, bytes], str | None]] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    app_root: str | None = None
    routes: list[dict[str, object]] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)


def read_case(path: Path) -> Case:
    case = Case(title="")
    for number, name, value, block in _sections(path.read_text("utf-8")):
        if name == "title":
            case.title = value
        elif name == "files":
            case.files = dict(_file(line) for line in block)
        elif name == "rules":
            case.rules = [_rule(line) for line in block]
        elif name == "headers":
            case.headers = "\n".join(block) + "\n"
        elif name in _TEXTS:
            setattr(case, name.replace("-", "_"), value)
        elif name in _LISTS:
            setattr(case, name.replace("-", "_"), tuple(item.strip() for item in value.split(",")))
        elif name in _SWITCHES:
            setattr(case, name, value == "on")
        elif name == "earlier":
            case.earlier.append((dict(_file(line) for line in block), None))
        elif name == "earlier-headers":
            case.earlier[-1] = (case.earlier[-1][0], "\n".join(block) + "\n")
        elif name == "routes":
            case.routes = [_route(line) for line in block]
        elif name == "domain":
            case.domains.append(value)
        elif name == "request":
            case.exchanges.append(Exchange(number, block, []))
        elif name == "answer":
            case.exchanges[-1].answer = block
        else:
            raise ValueError(f"{path}:{number}: unknown section {name!r}")
    assert case.title, f"{path}: a case begins with a sentence"
    assert case.exchanges, f"{path}: no request"
    assert all(exchange.answer for exchange in case.exchanges), f"{path}: a request without answer"
    return case


def _sections(text: str) -> Iterator[tuple[int, str, str, list[str]]]:
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if re.match(r"[a-z-]+:", line))
    yield 1, "title", " ".join(lines[:start]).strip(), []
    while start < len(lines):
        name, _, value = lines[start].partition(":")
        end = start + 1
        while end < len(lines) and (not lines[end].strip() or lines[end].startswith("  ")):
            end += 1
        block = [line[2:] for line in lines[start + 1 : end] if line.strip()]
        yield start + 1, name, value.strip(), block
        start = end


def _file(line: str) -> tuple[str, bytes]:
    path, _, content = line.partition(": ")
    match = re.fullmatch(r"(.*?)\s+x(\d+)", content)
    return path, match[1].encode() * int(match[2]) if match else content.encode()


def _rule(line: str) -> CustomRule:
    match = _RULE.fullmatch(line)
    assert match, f"not a rule: {line!r}"
    source, target, status, condition = match.groups()
    return CustomRule(source=source, target=target, status=status, condition=condition)


def _route(line: str) -> dict[str, object]:
    match = _ROUTE.fullmatch(line)
    assert match, f"not a route: {line!r}"
    path, kind, control, other, other_control = match.groups()
    route: dict[str, object] = {"path": path, "target": target(kind, control)}
    return route | ({"fallback": target(other, other_control)} if other else {})


@dataclass
class Filler:
    """Puts the values of a case's site in the place of `{...}`."""

    app_id: str
    case: Case
    manifest: Manifest | None
    upstream: str = ""

    def __call__(self, text: str) -> str:
        return _FIELD.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        kind, path, coding = match.groups()
        if kind == "app":
            return self.app_id
        if kind.startswith("upstream"):
            return self.upstream if kind == "upstream" else self.upstream.removeprefix("http://")
        if kind == "file":
            return self.case.files[path].decode()
        assert self.manifest is not None
        file = self.manifest.files[path]
        body: Body = file.encodings[Encoding(coding)] if coding else file.body
        return etag(body) if kind == "etag" else str(body.size)


def request_bytes(exchange: Exchange, fill: Filler) -> tuple[bytes, str]:
    """The request as sent, and its method."""
    start, *headers = [fill(line) for line in exchange.request]
    if not any(line.lower().startswith("host:") for line in headers):
        headers.insert(0, f"Host: {fill(fill.case.host)}")
    body = b"".join(line[6:].encode() for line in headers if line.startswith("body: "))
    headers = [line for line in headers if line != "Host: none" and not line.startswith("body: ")]
    if body:
        headers.append(f"Content-Length: {len(body)}")
    return "\r\n".join([f"{start} HTTP/1.1", *headers, "", ""]).encode() + body, start.split(" ")[0]


def differences(exchange: Exchange, reply: Reply, fill: Filler) -> list[str]:
    """What the reply lacks; empty when it is as expected."""
    wrong: list[str] = []
    status, *lines = exchange.answer
    if reply.status != int(status):
        wrong.append(f"status is {reply.status}, expected {status}")
    for line in map(fill, lines):
        name, _, value = line.partition(": ")
        text = _decoded(reply)
        if line.startswith("!"):
            if line[1:].lower() in reply.headers:
                wrong.append(f"unexpected {line[1:]}: {reply.headers[line[1:].lower()]}")
        elif name == "body":
            if text != value:
                wrong.append(f"body is {text!r}, expected {value!r}")
        elif line == "body:":
            if reply.body:
                wrong.append(f"body is {text!r}, expected none")
        elif name == "body has":
            if value not in text:
                wrong.append(f"body is {text!r}, without {value!r}")
        elif name == "body lacks":
            if value in text:
                wrong.append(f"body is {text!r}, with {value!r}")
        elif reply.headers.get(name.lower()) != value:
            wrong.append(f"{name} is {reply.headers.get(name.lower())!r}, expected {value!r}")
    return wrong


def _decoded(reply: Reply) -> str:
    body = reply.body
    if reply.status != 206 and body:
        coding = reply.headers.get("content-encoding")
        body = {"br": brotli.decompress, "gzip": gzip.decompress}.get(coding or "", bytes)(body)
    return body.decode("utf-8", "replace")
