"""The maintenance page of a branch, switched on by `preamp maintenance on`."""

from __future__ import annotations

from html import escape

from preamp.edge.outcome import Message, Outcome
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite

RETRY_SECONDS = 120

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Maintenance</title>
<style>body{{font:18px/1.5 system-ui,sans-serif;margin:20vh auto;max-width:32em;padding:0 1em}}</style>
<h1>Maintenance</h1>
<p>{text}</p>
</html>
"""


def maintenance(_request: Request, site: LoadedSite) -> Outcome | None:
    """503 for every path; search engines come back instead of forgetting the site."""
    text = site.site.branch_hosting.maintenance
    if text is None:
        return None
    return Message(
        status=503,
        text=_PAGE.format(text=escape(text)),
        content_type="text/html; charset=utf-8",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
