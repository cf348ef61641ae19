"""What a URL would be answered with, and why: the very decisions of a request, without serving it."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.edge.compose import decide_by_stage
from preamp.edge.outcome import Forward, Message, Serve
from preamp.edge.render import render
from preamp.edge.request import Request
from preamp.edge.rules.book import Rule
from preamp.edge.rules.why import applies_after_files, why_not
from preamp.edge.site import LoadedSite
from preamp.edge.stages.miss import missing
from preamp.edge.stages.rewrite import rules_before_files
from preamp.edge.stages.static import static_files

MOST_RULES = 1000
"""Rules of which it is told why they do not answer."""

_STAGES = {
    "addresses": "the lists of allowed and denied addresses",
    "basic_auth": "basic authentication",
    "maintenance": "the maintenance page",
    "welcome": "the branch has no release yet",
    "chosen_release": "skew protection: an asset of an earlier release",
    "rules_before_files": "a rule with 200, 301 or 302",
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
    file: str | None
    """Of the release; None when none is served."""
    forwards_to: str | None
    status: int | None
    """None: the other server decides."""
    headers: tuple[tuple[str, str], ...]
    skipped: tuple[Skipped, ...]
    more_skipped: int
    """Further ones that are not listed."""


def explain(request: Request, site: LoadedSite) -> Explanation:
    """Pure: reads no blob and calls no server."""
    stage, outcome = decide_by_stage(request, site)
    number = None if isinstance(outcome, Message) else outcome.rule
    answer = None if isinstance(outcome, Forward) else render(request, site, outcome)
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
        file=outcome.path if isinstance(outcome, Serve) else None,
        forwards_to=outcome.url if isinstance(outcome, Forward) else None,
        status=answer.status if answer else None,
        headers=tuple((name.decode(), value.decode("utf-8", "replace")) for name, value in answer.headers)
        if answer
        else (),
        skipped=tuple(skipped[:MOST_RULES]),
        more_skipped=max(0, len(skipped) - MOST_RULES),
    )


def _skipped(request: Request, site: LoadedSite, stage: str, chosen: int | None) -> list[Skipped]:
    """Rules that were asked, or would have been, before the answer was found."""
    asked = {rules_before_files.__name__, static_files.__name__, missing.__name__}
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
    if stage == static_files.__name__:
        return "only when nothing else answers, and a file does"
    if chosen is not None and number > chosen.number:
        return None
    return "its target does not exist, or is the URL that was asked for"


def _text(site: LoadedSite, number: int) -> str:
    rule = site.rules.source[number]
    condition = f" {rule.condition}" if rule.condition else ""
    return f"{rule.source} -> {rule.target} {rule.status or '301'}{condition}"
