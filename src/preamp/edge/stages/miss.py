"""When nothing answers: rules with 404 and 404-200 in their order, `404.html`, a small body."""

from __future__ import annotations

from preamp.edge.outcome import Message, Outcome, Redirect, Serve
from preamp.edge.paths import as_location, canonical, decoded
from preamp.edge.request import Request
from preamp.edge.rules.book import Kind, Match
from preamp.edge.site import LoadedSite
from preamp.model.deploy_manifest import TargetKind

ERROR_PAGE = "404.html"


def missing(request: Request, site: LoadedSite) -> Outcome:
    """Always decides."""
    assert site.content is not None  # the welcome stage comes before
    for match in site.rules.after_files(request):
        outcome = _apply(request, site, match)
        if outcome is not None:
            return outcome
    page = site.content.files.get(ERROR_PAGE)
    if page is not None:
        return Serve(path=ERROR_PAGE, file=page, status=404)
    return Message(status=404, text="404 Not Found\n")


def _apply(request: Request, site: LoadedSite, match: Match) -> Outcome | None:
    """None when the rule's target does not exist either: the next rule gets its chance."""
    url = match.rule.url(request, match.captures)
    if match.rule.target.is_absolute:
        return Redirect(status=302, location=as_location(url), rule=match.rule.number)
    assert site.content is not None
    path = canonical(url.partition("#")[0].partition("?")[0])
    found = site.content.rewritten(decoded(path))
    if match.rule.kind is Kind.MISSING_REWRITE:
        if found is None:
            return None
        return Serve(path=found.path, file=found.file, status=404, rule=match.rule.number)
    # The browser is sent to the target, so it has to exist: else the next request would miss again.
    if (found is None and not _is_served(site, path)) or path == request.path:
        return None
    return Redirect(status=302, location=as_location(url), rule=match.rule.number)


def _is_served(site: LoadedSite, path: str) -> bool:
    """Whether the release's server answers the path: what it says is its own business."""
    assert site.content is not None
    routes = site.content.routes
    return routes is not None and routes.find(path).route.target.kind is TargetKind.COMPUTE
