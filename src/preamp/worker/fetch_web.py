"""GET a zip from the web, or from the private network when the operator's settings allow it."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import urllib.error
import urllib.request
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from preamp import __version__
from preamp.model.sources import WebSource
from preamp.worker.saving import Guard, Room, SourceError, save

TIMEOUT_SECONDS = 20.0
"""Without a byte."""
MOST_REDIRECTS = 5
_METADATA = ipaddress.ip_address("fd00:ec2::254")
"""Amazon's instance metadata over IPv6, which is no link-local address."""


def fetch_zip(source: WebSource, target: Path, *, room: Room, allow_private: bool, guard: Guard) -> int:
    """Save the body of the last answer; how many bytes it had. Blocking. Raises SourceError."""
    request = urllib.request.Request(  # noqa: S310 (the schemes are checked, here and on redirects)
        source.url, headers={"User-Agent": f"preamp/{__version__}", "Accept-Encoding": "identity"}
    )
    try:
        with _opener(allow_private).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return save(answer, target, shown=source.shown, length=_length(answer), room=room, guard=guard)
    except urllib.error.HTTPError as error:
        with error:
            raise SourceError(f"{source.shown} answered {error.code} {error.reason}.") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, _Refused):
            raise SourceError(f"{source.shown}: {error.reason}") from error
        raise SourceError(f"{source.shown} cannot be reached: {error.reason}.") from error
    except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        what = str(error) or type(error).__name__
        raise SourceError(f"{source.shown}: the transfer failed: {what}.") from error


def is_allowed(address: str, *, allow_private: bool) -> bool:
    """Whether a source may be at that address. Link-local ones never: clouds keep their secrets there."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified or parsed == _METADATA:
        return False
    return allow_private or parsed.is_global


class _Refused(OSError):
    """Policy, not the network, is why there is no connection; the text is for the client."""


def _opener(allow_private: bool) -> urllib.request.OpenerDirector:
    """Proxies are those of the environment. Behind a proxy only an address in the URL itself can be
    judged: names are looked up by the proxy."""
    return urllib.request.build_opener(_Redirects(allow_private), _Http(allow_private), _Https(allow_private))


def _connect(host: str, port: int, timeout: float, *, allow_private: bool) -> socket.socket:
    """To an address that was judged, not to a name that may mean another one a moment later."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [entry for entry in found if is_allowed(str(entry[4][0]), allow_private=allow_private)]
    if not allowed:
        raise _Refused(_refusal(host, allow_private=allow_private))
    failure: OSError | None = None
    for family, kind, protocol, _, address in allowed:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    assert failure is not None, "there was an address to try"
    raise failure


def _refusal(host: str, *, allow_private: bool) -> str:
    if allow_private:
        return f"{host} is a link-local address, which no source may have."
    return f"{host} is a private address, which the setting allow_private_sources forbids as a source."


class _Plain(http.client.HTTPConnection):
    allow_private = False

    def connect(self) -> None:
        self.sock = _connect(self.host, self.port, TIMEOUT_SECONDS, allow_private=self.allow_private)


class _PlainPrivate(_Plain):
    allow_private = True


class _Tls(http.client.HTTPSConnection):
    allow_private = False

    def connect(self) -> None:
        plain = _connect(self.host, self.port, TIMEOUT_SECONDS, allow_private=self.allow_private)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


class _TlsPrivate(_Tls):
    allow_private = True


class _Http(urllib.request.HTTPHandler):
    def __init__(self, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        if _is_proxied(req):
            _judge_literal(req, allow_private=self._allow_private)
            return super().http_open(req)
        return self.do_open(_PlainPrivate if self._allow_private else _Plain, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        if _is_proxied(req):
            _judge_literal(req, allow_private=self._allow_private)
            return super().https_open(req)
        return self.do_open(_TlsPrivate if self._allow_private else _Tls, req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in {"http", "https"} or (scheme == "http" and req.full_url.startswith("https:")):
            fp.close()
            raise SourceError(f"{WebSource(url=req.full_url).shown} redirects to {scheme}, which is refused.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_proxied(req: urllib.request.Request) -> bool:
    return req.has_proxy() or getattr(req, "_tunnel_host", None) is not None


def _judge_literal(req: urllib.request.Request, *, allow_private: bool) -> None:
    host = urlsplit(req.full_url).hostname or ""
    try:
        allowed = is_allowed(host, allow_private=allow_private)
    except ValueError:
        return  # a name
    if not allowed:
        raise urllib.error.URLError(_Refused(_refusal(host, allow_private=allow_private)))


def _length(answer: HTTPResponse) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None
