"""Assets of the deployment that a page was loaded from, when that is not the current one."""

from __future__ import annotations

from preamp.edge.outcome import Outcome, Serve
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite
from preamp.edge.skew import wanted_job


def chosen_release(request: Request, site: LoadedSite) -> Outcome | None:
    """An unknown or too old deployment means the current one."""
    if not site.earlier:
        return None
    job = wanted_job(request)
    if job is None:
        return None
    for release in site.earlier:
        if release.job == job:
            found = release.asset(request.decoded_path)
            return Serve(path=found.path, file=found.file, earlier=release) if found else None
    return None
