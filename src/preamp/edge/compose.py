"""The order of a request (behaviour reference 7.3), in one place."""

from __future__ import annotations

from collections.abc import Callable

from preamp.edge.outcome import Outcome
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite
from preamp.edge.stages.access import addresses, basic_auth
from preamp.edge.stages.maintenance import maintenance
from preamp.edge.stages.miss import missing
from preamp.edge.stages.rewrite import rules_before_files
from preamp.edge.stages.routes import release_routes
from preamp.edge.stages.skew import chosen_release
from preamp.edge.stages.static import static_files
from preamp.edge.stages.welcome import welcome

Stage = Callable[[Request, LoadedSite], Outcome | None]

STAGES: tuple[Stage, ...] = (
    addresses,
    basic_auth,
    maintenance,
    welcome,
    chosen_release,
    rules_before_files,
    release_routes,
    static_files,
)


def decide(request: Request, site: LoadedSite) -> Outcome:
    """What the site answers; pure, so that a URL can be explained without being served."""
    return decide_by_stage(request, site)[1]


def decide_by_stage(request: Request, site: LoadedSite) -> tuple[Stage, Outcome]:
    """The same, and which stage decided."""
    for stage in STAGES:
        outcome = stage(request, site)
        if outcome is not None:
            return stage, outcome
    return missing, missing(request, site)
