"""Files of the release and clean URLs: the table of behaviour reference 7.3."""

from __future__ import annotations

from preamp.edge.content import Folder, Hit
from preamp.edge.outcome import Outcome, Redirect, Serve
from preamp.edge.paths import as_location
from preamp.edge.request import Request
from preamp.edge.rules.book import Kind
from preamp.edge.site import LoadedSite


def static_files(request: Request, site: LoadedSite) -> Outcome | None:
    """The file of the path; a folder without its slash is redirected, keeping the query.

    With skew protection, an asset that only an earlier release has is served from that.
    """
    assert site.content is not None  # the welcome stage comes before
    if site.content.routes is not None:
        return None  # they have been asked
    found = site.content.find(request.decoded_path)
    if isinstance(found, Hit):
        return Serve(path=found.path, file=found.file)
    if isinstance(found, Folder) and not _answered_by_rule(request, site):
        query = f"?{request.query}" if request.query else ""
        return Redirect(status=301, location=as_location(f"{request.path}/{query}"))
    # A page that was loaded long ago, or whose cookie a newer tab has replaced, asks for its old files.
    for release in site.earlier:
        old = release.asset(request.decoded_path)
        if old is not None:
            return Serve(path=old.path, file=old.file, earlier=release)
    return None


def _answered_by_rule(request: Request, site: LoadedSite) -> bool:
    # Observed: a 404-200 rule answers a folder without its slash before it is redirected; a 404 does not.
    first = next(site.rules.after_files(request), None)
    return first is not None and first.rule.kind is Kind.MISSING_REWRITE
