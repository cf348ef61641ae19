"""Rules with 200, 301 and 302: before any file is looked up, first match wins."""

from __future__ import annotations

from preamp.edge.outcome import Forward, Outcome, Redirect, Serve
from preamp.edge.paths import as_location, canonical, decoded
from preamp.edge.request import Request
from preamp.edge.rules.book import Kind
from preamp.edge.site import LoadedSite
from preamp.edge.stages.miss import missing
from preamp.edge.stages.routes import Asked, by_route


def rules_before_files(request: Request, site: LoadedSite) -> Outcome | None:
    """A rewrite to a path that does not exist is a miss: the 404 rules and 404.html come next.

    A target is never matched against the rules again, and a redirect to the very URL that was asked for
    is passed over, so that rules cannot loop.
    """
    for match in site.rules.before_files(request):
        url = match.rule.url(request, match.captures)
        if match.rule.kind is Kind.REWRITE:
            if match.rule.target.is_absolute:
                return Forward(url=as_location(url), rule=match.rule.number)
            return _inside(request, site, url, match.rule.number)
        location = as_location(url)
        if not is_same(request, location):
            return Redirect(status=int(match.rule.kind), location=location, rule=match.rule.number)
    return None


def _inside(request: Request, site: LoadedSite, url: str, rule: int) -> Outcome:
    assert site.content is not None  # the welcome stage comes before
    url = url.partition("#")[0]
    path = canonical(url.partition("?")[0])
    if site.content.routes is not None:
        asked = Asked(path=path, decoded=decoded(path), url=as_location(url), rule=rule)
        return by_route(request, site, asked) or missing(request, site)
    found = site.content.rewritten(decoded(path))
    if found is None:
        return missing(request, site)
    return Serve(path=found.path, file=found.file, rule=rule)


def is_same(request: Request, location: str) -> bool:
    here = f"{request.scheme}://{request.authority.lower()}"
    if not location.startswith("/"):
        base, slashes, rest = location.partition("://")
        host, slash, path = rest.partition("/")
        if f"{base}{slashes}{host}".lower() != here:
            return False
        location = slash + path or "/"
    path, mark, query = location.partition("#")[0].partition("?")
    return canonical(path) + (mark + query if query else "") == request.target
