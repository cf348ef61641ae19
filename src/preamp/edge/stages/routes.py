"""The release's own routes: Static, Compute and ImageOptimization (behaviour reference, section 8)."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.edge.content import Hit
from preamp.edge.outcome import Compute, Image, Message, Outcome, Serve
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite
from preamp.model.deploy_manifest import Target, TargetKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the routes are asked for: by the visitor, or by the target of a rule."""

    path: str
    """In its canonical spelling."""
    decoded: str | None
    """The path of a file; None when it is not UTF-8."""
    url: str
    """Path and query as the server is to see them."""
    rule: int | None = None


def release_routes(request: Request, site: LoadedSite) -> Outcome | None:
    """Of a release with a deploy manifest, in the place of the static lookup."""
    url = f"{request.raw_path}?{request.query}" if request.query else request.raw_path
    return by_route(request, site, Asked(path=request.path, decoded=request.decoded_path, url=url))


def by_route(request: Request, site: LoadedSite, asked: Asked) -> Outcome | None:
    """None when nothing answers the path, or when the release has no routes."""
    assert site.content is not None  # the welcome stage comes before
    if site.content.routes is None:
        return None
    found = site.content.routes.find(asked.path)
    target, fallback = found.route.target, found.route.fallback
    if request.method not in {"GET", "HEAD"}:
        if target.kind is TargetKind.COMPUTE:
            return _compute(asked, found.number)
        return Message(
            status=405,
            text="405 Method Not Allowed: this path answers GET and HEAD.\n",
            headers={"Allow": "GET, HEAD"},
        )
    second = _second(site, asked, found.number, fallback) if fallback else None
    match target.kind:
        case TargetKind.STATIC:
            return _static(site, asked, found.number, target, alone=fallback is None) or second
        case TargetKind.COMPUTE:
            return _compute(asked, found.number, second)
        case TargetKind.IMAGE:
            return _image(asked, found.number, target, second)


def _second(site: LoadedSite, asked: Asked, route: int, target: Target) -> Outcome | None:
    match target.kind:
        case TargetKind.STATIC:
            return _static(site, asked, route, target)
        case TargetKind.COMPUTE:
            return _compute(asked, route, keep_body=False)
        case TargetKind.IMAGE:
            return _image(asked, route, target)


def _static(
    site: LoadedSite, asked: Asked, route: int, target: Target, *, alone: bool = False
) -> Serve | None:
    """The very file of the path. Where nothing but 404 would come instead (`alone`), clean URLs work as well.

    An asset that only an earlier release has is served from that, as on sites without routes.
    """
    assert site.content is not None
    hit, earlier = site.content.exact(asked.decoded), None
    for release in site.earlier if hit is None else ():
        hit = release.asset(asked.decoded)
        if hit is not None:
            earlier = release
            break
    if hit is None and alone:
        hit = site.content.rewritten(asked.decoded)
    if not isinstance(hit, Hit):
        return None
    return Serve(
        path=hit.path,
        file=hit.file,
        earlier=earlier,
        rule=asked.rule,
        route=route,
        cache_control=target.cache_control,
    )


def _compute(asked: Asked, route: int, second: Outcome | None = None, *, keep_body: bool = True) -> Compute:
    return Compute(url=asked.url, keep_body=keep_body, second=second, route=route, rule=asked.rule)


def _image(asked: Asked, route: int, target: Target, second: Outcome | None = None) -> Image:
    return Image(
        query=asked.url.partition("?")[2],
        cache_control=target.cache_control,
        second=second,
        route=route,
        rule=asked.rule,
    )
