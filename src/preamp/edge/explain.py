"""What a URL would be answered with, and why: the very decisions of a request, without serving it."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.edge.compose import decide_by_stage
from preamp.edge.outcome import Compute, Forward, Image, Message, Outcome, Serve
from preamp.edge.render import render
from preamp.edge.request import Request
from preamp.edge.rules.book import Rule
from preamp.edge.rules.why import applies_after_files, why_not
from preamp.edge.site import LoadedSite
from preamp.edge.stages.miss import missing
from preamp.edge.stages.rewrite import rules_before_files
from preamp.edge.stages.routes import release_routes
from preamp.edge.stages.static import static_files

MOST_RULES = 1000
"""Rules of which it is told why they do not answer."""

_FOUND = {static_files.__name__: "a file", release_routes.__name__: "a route"}
"""Stages that answer before rules with 404 and 404-200 are asked."""
_STAGES = {
    "addresses": "the lists of allowed and denied addresses",
    "basic_auth": "basic authentication",
    "maintenance": "the maintenance page",
    "welcome": "the branch has no release yet",
    "chosen_release": "skew protection: an asset of an earlier release",
    "rules_before_files": "a rule with 200, 301 or 302",
    "release_routes": "a route of the release's deploy manifest",
    "static_files": "the files of the release",
    "missing": "nothing answers the path",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A rule that did not answer."""

    number: int
    """Its place in the app's list, from 1."""
    source: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    host: str
    app_id: str
    branch: str
    release: str | None
    job: int | None
    decided_by: str
    rule: int | None
    """Its place in the app's list, from 1."""
    rule_text: str | None
    route: int | None
    """Its place in the release's deploy manifest, from 1; also where the target of a rule led to it."""
    route_text: str | None
    file: str | None
    """Of the release; None when none is served."""
    forwards_to: str | None
    asks: str | None
    """Who decides about the answer when it is neither a rule nor a file: a server, or image optimisation."""
    status: int | None
    """None: see `asks`."""
    headers: tuple[tuple[str, str], ...]
    skipped: tuple[Skipped, ...]
    more_skipped: int
    """Further ones that are not listed."""


def explain(request: Request, site: LoadedSite) -> Explanation:
    """Pure: reads no blob and calls no server."""
    stage, outcome = decide_by_stage(request, site)
    number = None if isinstance(outcome, Message) else outcome.rule
    route = outcome.route if isinstance(outcome, Serve | Compute | Image) else None
    answer = None if isinstance(outcome, Forward | Compute | Image) else render(request, site, outcome)
    earlier = outcome.earlier if isinstance(outcome, Serve) else None
    skipped = _skipped(request, site, stage.__name__, number)
    decided_by = _STAGES[stage.__name__]
    if number is not None and site.rules.rules[number].kind in {"404", "404-200"}:
        decided_by = "a rule with 404 or 404-200, since nothing answers the path"
    return Explanation(
        host=request.authority,
        app_id=site.app_id,
        branch=site.site.branch_name,
        release=site.site.release_id if earlier is None else f"the one of job {earlier.job}",
        job=site.site.job if earlier is None else earlier.job,
        decided_by=decided_by,
        rule=None if number is None else number + 1,
        rule_text=None if number is None else _text(site, number),
        route=None if route is None else route + 1,
        route_text=None if route is None else _route_text(site, route),
        file=outcome.path if isinstance(outcome, Serve) else None,
        forwards_to=outcome.url if isinstance(outcome, Forward) else None,
        asks=_asks(outcome),
        status=answer.status if answer else None,
        headers=tuple((name.decode(), value.decode("utf-8", "replace")) for name, value in answer.headers)
        if answer
        else (),
        skipped=tuple(skipped[:MOST_RULES]),
        more_skipped=max(0, len(skipped) - MOST_RULES),
    )


def _skipped(request: Request, site: LoadedSite, stage: str, chosen: int | None) -> list[Skipped]:
    """Rules that were asked, or would have been, before the answer was found."""
    asked = {rules_before_files.__name__, *_FOUND, missing.__name__}
    if stage not in asked:
        return []
    found: list[Skipped] = []
    last = site.rules.rules.get(chosen) if chosen is not None else None
    for number, rule in enumerate(site.rules.source):
        if number == chosen:
            if stage == rules_before_files.__name__ and last is not None and not applies_after_files(last):
                break
            continue
        reason = _reason(request, site, number, stage, last)
        if reason is not None:
            found.append(
                Skipped(number=number + 1, source=rule.source, status=rule.status or "301", reason=reason)
            )
    return found


def _reason(request: Request, site: LoadedSite, number: int, stage: str, chosen: Rule | None) -> str | None:
    """None for rules that come after the one that answers."""
    why = why_not(site.rules, number, request)
    if why is not None:
        return why
    rule = site.rules.rules[number]
    if not applies_after_files(rule):
        return "it would redirect to the URL that was asked for"
    if chosen is not None and not applies_after_files(chosen):
        return "only when nothing else answers"
    if stage in _FOUND:
        return f"only when nothing else answers, and {_FOUND[stage]} does"
    if chosen is not None and number > chosen.number:
        return None
    return "its target does not exist, or is the URL that was asked for"


def _asks(outcome: Outcome) -> str | None:
    match outcome:
        case Forward():
            return "another server"
        case Compute():
            return "the server of the release"
        case Image():
            return "image optimisation"
        case _:
            return None


def _route_text(site: LoadedSite, number: int) -> str:
    assert site.content is not None
    assert site.content.routes is not None
    route = site.content.routes.routes[number]
    fallback = f", else {route.fallback.kind}" if route.fallback else ""
    return f"{route.path} -> {route.target.kind}{fallback}"


def _text(site: LoadedSite, number: int) -> str:
    rule = site.rules.source[number]
    condition = f" {rule.condition}" if rule.condition else ""
    return f"{rule.source} -> {rule.target} {rule.status or '301'}{condition}"
