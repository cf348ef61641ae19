"""`GET /_preamp/explain?url=...`: what a URL is answered with, and why. Signed like the API.

Further parameters stand for the visitor: `method`, `country`, `address`, and `header`, several times, as
`Name: value`. Basic authentication is passed over unless a header `Authorization` is among them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from urllib.parse import SplitResult, parse_qsl, urlsplit

from preamp.aws.authenticate import Authenticator, Identity
from preamp.aws.authorise import Authoriser
from preamp.aws.errors import WireError
from preamp.aws.http import Headers, HttpRequest
from preamp.edge.explain import Explanation, explain
from preamp.edge.hosts import is_default_host, parse_host, without_port
from preamp.edge.paths import as_location
from preamp.edge.reader import SiteReader
from preamp.edge.request import Request, join_headers
from preamp.edge.site import LoadedSite
from preamp.files.http import FileError, Receive, Scope, Send, answer_json, answer_text
from preamp.store import apps
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.manifests import ManifestError

PATH = "/_preamp/explain"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    """What is asked, taken from the query."""

    url: str
    method: str
    country: str | None
    address: str
    headers: tuple[tuple[bytes, bytes], ...]


class ExplainApp:
    """`skew_releases` as the edge has it."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: BlobStore,
        authenticator: Authenticator,
        authoriser: Authoriser,
        site_domain: str,
        skew_releases: int,
    ) -> None:
        self._database = database
        self._reader = SiteReader(database, blobs, skew_releases=skew_releases)
        self._authenticator = authenticator
        self._authoriser = authoriser
        self._site_domain = site_domain

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "GET":
                raise FileError(405, "Only GET", {"allow": "GET"})
            found = await asyncio.to_thread(self._explain, scope)
        except WireError as error:
            await answer_text(send, 403, f"{error.code}: {error.message}")
        except FileError as error:
            await answer_text(send, error.status, error.message, error.headers)
        else:
            await answer_json(send, found)

    def _explain(self, scope: Scope) -> Explanation:
        query = tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        identity = self._authenticator(
            HttpRequest(
                method=scope["method"],
                scheme=scope.get("scheme", "http"),
                raw_path=scope["raw_path"],
                raw_query=scope["query_string"],
                headers=Headers(scope["headers"]),
                query=query,
            )
        )
        question = _question(query)
        parts = _split(question.url)
        site = self._site(identity, parts.netloc)
        headers = {"host": parts.netloc, **join_headers(question.headers)}
        request = Request(
            method=question.method,
            scheme=parts.scheme,
            authority=parts.netloc,
            # As a browser would send it.
            raw_path=as_location(parts.path or "/"),
            query=as_location(parts.query),
            headers=headers,
            country=question.country,
            address=question.address,
        )
        if "authorization" not in headers:
            site = replace(site, credentials=None)
        if not question.address:
            site = replace(site, guard=type(site.guard)())
        return explain(request, site)

    def _site(self, identity: Identity, authority: str) -> LoadedSite:
        missing = FileError(404, f"there is no site at the host {authority} that this key may see")
        name = parse_host(authority, self._site_domain)
        if name is not None:
            app_id, label = name.app_id, name.label
        elif not is_default_host(authority, self._site_domain):
            custom = self._reader.find_host(without_port(authority))
            if custom is None:
                raise missing
            app_id, label = custom.app_id, custom.label
        else:
            raise missing
        self._authoriser.check(identity, operation="GetApp", request=SimpleNamespace(app_id=app_id))
        with self._database.read() as conn:
            if apps.get_app(conn, identity.scope, app_id) is None:
                raise missing
        try:
            site = self._reader.load(self._reader.read_app(app_id, now=0.0), label)
        except ManifestError as error:
            raise FileError(503, f"the release of {authority} cannot be read: {error}") from error
        if site is None:
            raise missing
        return site


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:  # such as a bracket that is not closed
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise FileError(400, "`url` has to be a whole URL such as http://main.dabc.localhost:7780/page")
    return parts


def _question(query: tuple[tuple[str, str], ...]) -> _Question:
    values: Mapping[str, str] = dict(reversed(query))
    headers = [value.partition(":") for name, value in query if name == "header"]
    return _Question(
        url=values.get("url", ""),
        method=values.get("method", "GET").upper(),
        country=values.get("country", "").upper() or None,
        address=values.get("address", ""),
        headers=tuple((name.strip().lower().encode(), value.strip().encode()) for name, _, value in headers),
    )
