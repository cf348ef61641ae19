"""The page of a branch that has no release yet (behaviour reference 7.1)."""

from __future__ import annotations

from preamp.edge.outcome import Message, Outcome
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Welcome</title>
<style>body{font:18px/1.5 system-ui,sans-serif;margin:20vh auto;max-width:32em;padding:0 1em}</style>
<h1>Welcome</h1>
<p>Your app will appear here once you complete your first deployment.</p>
</html>
"""


def welcome(_request: Request, site: LoadedSite) -> Outcome | None:
    """Every path of a site without a release."""
    if site.content is not None:
        return None
    return Message(status=200, text=_PAGE, content_type="text/html; charset=utf-8")
