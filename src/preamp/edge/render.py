"""From what was decided to the bytes of the answer: conditions, ranges, encodings, headers."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from preamp.edge.answer import Answer, Span, make_answer
from preamp.edge.conditional import Verdict, etag, http_date, judge, range_still_valid
from preamp.edge.encodings import choose
from preamp.edge.immutable import CACHE_CONTROL as IMMUTABLE
from preamp.edge.immutable import is_fingerprinted
from preamp.edge.outcome import Message, Redirect, Serve
from preamp.edge.ranges import Range, parse_ranges
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite
from preamp.edge.skew import COOKIES, deployment_id, is_page
from preamp.model.releases import Body

CACHE_CONTROL = "public, max-age=0, s-maxage=31536000"
"""Of every file (behaviour reference 7.4)."""
OWN_CACHE_CONTROL = "no-cache"
"""Of small bodies of our own: the next release may have a file there."""

Headers = dict[str, str]
Pair = tuple[bytes, bytes]


def render(request: Request, site: LoadedSite, outcome: Serve | Redirect | Message) -> Answer:
    """Custom headers come last, so that they win over ours."""
    match outcome:
        case Serve(status=200):
            return _file(request, site.as_of(outcome.earlier) if outcome.earlier else site, outcome)
        case Serve():
            return _error_page(request, site, outcome)
        case Redirect():
            headers = _custom(request, site, {"Location": outcome.location})
            return _final(request, site, outcome.status, headers)
        case Message():
            return _message(request, site, outcome)


def custom_headers(request: Request, site: LoadedSite) -> Callable[[list[Pair]], list[Pair]]:
    """Changes the headers of another server's answers to this path as the site's own answers are."""
    paths = [request.decoded_path] if request.decoded_path else []
    matching = list(site.content.headers.matching(paths)) if site.content else []

    def change(pairs: list[Pair]) -> list[Pair]:
        changed: dict[bytes, Pair] = {}
        vary = ", ".join(value.decode("latin-1") for name, value in pairs if name == b"vary")
        for name, value in matching:
            key = name.lower()
            text = _union(vary, value) if key == "vary" and vary else value
            changed[key.encode()] = (key.encode(), text.encode())
        return [pair for pair in pairs if pair[0] not in changed] + list(changed.values())

    return change if matching else _unchanged


def _unchanged(pairs: list[Pair]) -> list[Pair]:
    return pairs


def finished(request: Request, site: LoadedSite, status: int, headers: Headers, body: bytes) -> Answer:
    """A body that was made for this request, with the site's custom headers."""
    changed = _custom(request, site, headers)
    return make_answer(status, changed, (body,) if body else (), head=request.method == "HEAD")


def server_headers(request: Request, site: LoadedSite) -> Callable[[list[Pair]], list[Pair]]:
    """Changes the headers of answers of the site's own server to this path."""
    change = custom_headers(request, site)

    def with_cookie(pairs: list[Pair]) -> list[Pair]:
        kind = next((value for name, value in pairs if name == b"content-type"), b"").decode("latin-1")
        cookie = _deployment_cookie(request, site, kind.lower())
        return change([*pairs, (b"set-cookie", cookie.encode())] if cookie else pairs)

    return with_cookie if site.sets_deployment else change


def _file(request: Request, site: LoadedSite, found: Serve) -> Answer:
    if request.method not in {"GET", "HEAD"}:
        text = "405 Method Not Allowed: files answer GET and HEAD.\n"
        return _message(request, site, Message(status=405, text=text, headers={"Allow": "GET, HEAD"}))
    body, headers = _representation(request, site, found)
    tag, modified = etag(body), http_date(site.modified_ms)
    headers = {
        **headers,
        "ETag": tag,
        "Last-Modified": modified,
        "Accept-Ranges": "bytes",
    }
    if found.cache_control is not None:
        headers["Cache-Control"] = found.cache_control
    elif site.site.app_hosting.immutable_assets and is_fingerprinted(found.path):
        headers["Cache-Control"] = IMMUTABLE
    cookie = _deployment_cookie(request, site, found.file.content_type)
    if cookie is not None:
        headers["Set-Cookie"] = cookie
    headers = _custom(request, site, headers, found.path)
    verdict = judge(request, tag, modified)
    if verdict is Verdict.NOT_MODIFIED:
        return _final(request, site, 304, _without_body(headers))
    if verdict is Verdict.FAILED:
        text = "412 Precondition Failed\n"
        return _message(request, site, Message(status=412, text=text))
    wanted = request.headers.get("range") if request.method == "GET" else None
    if wanted is not None and range_still_valid(request, tag, modified):
        ranges = parse_ranges(wanted, body.size)
        if ranges is not None:
            return _partial(request, site, body, headers, ranges)
    return _final(request, site, 200, headers, (Span(body.blob, 0, body.size),))


def _deployment_cookie(request: Request, site: LoadedSite, content_type: str) -> str | None:
    """Tells the browser which deployment a page is of."""
    if not site.sets_deployment or site.site.job is None or not is_page(content_type):
        return None
    secure = "; Secure" if request.scheme == "https" else ""
    return f"{COOKIES[0]}={deployment_id(site.site.job)}; Path=/; HttpOnly; SameSite=Lax{secure}"


def _error_page(request: Request, site: LoadedSite, found: Serve) -> Answer:
    body, headers = _representation(request, site, found)
    headers = _custom(request, site, headers, found.path)
    return _final(request, site, found.status, headers, (Span(body.blob, 0, body.size),))


def _representation(request: Request, site: LoadedSite, found: Serve) -> tuple[Body, Headers]:
    body, coding = choose(found.file, request.headers.get("accept-encoding"))
    headers = {"Content-Type": found.file.content_type, "Cache-Control": CACHE_CONTROL}
    if coding:
        headers["Content-Encoding"] = coding
    if found.file.encodings:
        headers["Vary"] = "Accept-Encoding"
    return body, headers


def _partial(request: Request, site: LoadedSite, body: Body, headers: Headers, ranges: list[Range]) -> Answer:
    if not ranges:
        message = Message(
            status=416,
            text="416 Range Not Satisfiable\n",
            headers={"Content-Range": f"bytes */{body.size}", "Accept-Ranges": "bytes"},
        )
        return _message(request, site, message)
    if len(ranges) == 1:
        (only,) = ranges
        headers = {**headers, "Content-Range": f"bytes {only.start}-{only.end}/{body.size}"}
        return _final(request, site, 206, headers, (Span(body.blob, only.start, only.length),))
    boundary = secrets.token_hex(16)
    parts: list[bytes | Span] = []
    for item in ranges:
        head = (
            f"--{boundary}\r\nContent-Type: {headers['Content-Type']}\r\n"
            f"Content-Range: bytes {item.start}-{item.end}/{body.size}\r\n\r\n"
        )
        parts += [head.encode(), Span(body.blob, item.start, item.length), b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    headers = {**headers, "Content-Type": f"multipart/byteranges; boundary={boundary}"}
    return _final(request, site, 206, headers, tuple(parts))


def _message(request: Request, site: LoadedSite, message: Message) -> Answer:
    headers = {"Content-Type": message.content_type, **message.headers}
    headers = _custom(request, site, headers)
    headers["Cache-Control"] = OWN_CACHE_CONTROL
    return _final(request, site, message.status, headers, (message.text.encode(),))


def _custom(request: Request, site: LoadedSite, headers: Headers, file: str | None = None) -> Headers:
    """`headers` with those of the release's header rules; a later one of the same name wins."""
    if site.content is None:
        return dict(headers)
    paths = [path for path in (request.decoded_path, f"/{file}" if file else None) if path]
    named = {name.lower(): (name, value) for name, value in headers.items()}
    for name, value in site.content.headers.matching(paths):
        key = name.lower()
        both = key == "vary" and key in named
        named[key] = (name, _union(named[key][1], value) if both else value)
    return dict(named.values())


def _union(ours: str, theirs: str) -> str:
    known = {item.strip().lower() for item in theirs.split(",")}
    return theirs if ours.lower() in known or "*" in known else f"{ours}, {theirs}"


def _without_body(headers: Headers) -> Headers:
    described = {"content-type", "content-encoding", "content-language", "content-disposition"}
    return {name: value for name, value in headers.items() if name.lower() not in described}


def _final(
    request: Request, site: LoadedSite, status: int, headers: Headers, body: tuple[bytes | Span, ...] = ()
) -> Answer:
    return make_answer(
        status,
        headers,
        body,
        head=request.method == "HEAD",
        memoise=site.is_memoisable and status in {200, 301, 302, 304, 404},
    )
