"""deploy-manifest.json: Amplify's deployment specification, version 1 (behaviour reference, section 8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from preamp.model.deploy_fields import DeployManifestError as DeployManifestError
from preamp.model.deploy_fields import Node, read_document

FILE_NAME = "deploy-manifest.json"
STATIC_FOLDER = "static"
COMPUTE_FOLDER = "compute"
CATCH_ALL = "/*"
RESOURCE = "default"
"""The only name that a compute resource may have."""
MOST_ROUTES = 25
LONGEST_PATH = 255
RUNTIMES = frozenset({"nodejs20.x", "nodejs22.x", "nodejs24.x"})
"""What Amplify runs; 24 is not in its documentation yet, but adapters write it."""

_PATH = re.compile(r"/[A-Za-z0-9_.*$/~\"'@:+-]*")
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII
)
_FIELD_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
_MISSPELT_TTL = "minumumCacheTTL"
"""As in the type listing and the sample of Amplify's documentation, from where adapters have it."""
_MOST_SECONDS = 2**31 - 1


class TargetKind(StrEnum):
    """What answers a route."""

    STATIC = "Static"  # a file of the bundle's static/
    COMPUTE = "Compute"  # the bundle's server
    IMAGE = "ImageOptimization"  # an image, changed as the query says


class ImageFormat(StrEnum):
    """What images may be turned into, by media type."""

    AVIF = "image/avif"
    WEBP = "image/webp"
    PNG = "image/png"
    JPEG = "image/jpeg"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    kind: TargetKind
    src: str | None = None
    """The compute resource; None for other kinds."""
    cache_control: str | None = None
    """For answers with status 200; None for Compute, which says it itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    path: str
    """A pattern: `*` is zero or more characters, `/` among them."""
    target: Target
    fallback: Target | None = None
    """Answers a GET when the target answers 404."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeResource:
    """A Node server in `compute/{name}`."""

    name: str
    runtime: str
    """Usually one of RUNTIMES."""
    entrypoint: str
    """The file that Node runs, relative to the server's folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemotePattern:
    """Where images may be fetched from; of what is None, anything is right."""

    hostname: str
    protocol: str | None = None
    port: str | None = None
    """Digits; empty: the protocol's own."""
    pathname: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSettings:
    sizes: tuple[int, ...]
    """Widths and heights that may be asked for, in pixels."""
    domains: tuple[str, ...]
    """Hosts that images may be fetched from."""
    remote_patterns: tuple[RemotePattern, ...]
    formats: tuple[ImageFormat, ...]
    """What images may be turned into, best first."""
    minimum_cache_ttl: int
    """Seconds: the least `max-age` of an answer."""
    dangerously_allow_svg: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Framework:
    """What wrote the bundle; told in logs."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployManifest:
    """A manifest that keeps every rule of the specification that it can keep alone."""

    routes: tuple[Route, ...]
    """The first whose pattern matches decides; the last one matches everything."""
    framework: Framework
    compute_resources: tuple[ComputeResource, ...] = ()
    image_settings: ImageSettings | None = None
    warnings: tuple[str, ...] = ()
    """For the log, one line each."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Of all routes, fallbacks among them."""
        return tuple(target for route in self.routes for target in (route.target, route.fallback) if target)

    @property
    def server(self) -> ComputeResource | None:
        """What Compute routes lead to; None when there is no such route."""
        wanted = {target.src for target in self.targets if target.kind is TargetKind.COMPUTE}
        return next((item for item in self.compute_resources if item.name in wanted), None)


def parse(text: str) -> DeployManifest:
    """Raises DeployManifestError, which names the field that is wrong and says what it has to be."""
    document = read_document(text)
    warnings = [*document.unknown("version", "routes", "computeResources", "imageSettings", "framework")]
    document.need("version").whole(least=1, most=1)
    resources = _resources(document.get("computeResources"), warnings)
    images = document.get("imageSettings")
    settings = _image_settings(images, warnings) if images else None
    listed = document.need("routes")
    routes = _routes(listed, warnings)
    _check_targets(listed, routes, resources, settings)
    return DeployManifest(
        routes=routes,
        framework=_framework(document.need("framework"), warnings),
        compute_resources=resources,
        image_settings=settings,
        warnings=tuple(warnings),
    )


def _framework(node: Node, warnings: list[str]) -> Framework:
    warnings += node.unknown("name", "version")
    version = node.need("version")
    if not _SEMVER.fullmatch(version.text()):
        raise version.wrong(f"is {version.value!r}: it has to be a semantic version such as 1.2.3")
    return Framework(name=node.need("name").text(), version=version.text())


def _routes(node: Node, warnings: list[str]) -> tuple[Route, ...]:
    items = node.items()
    if len(items) > MOST_ROUTES:
        raise node.wrong(f"has {len(items)} routes: at most {MOST_ROUTES} are allowed")
    routes = tuple(_route(item, warnings) for item in items)
    for item, route in zip(items[:-1], routes[:-1], strict=True):
        if route.path == CATCH_ALL:
            raise item.need("path").wrong(f"is {CATCH_ALL!r}, which matches everything: it has to come last")
    if not routes or routes[-1].path != CATCH_ALL:
        raise node.wrong(f"needs a route with the path {CATCH_ALL!r} as its last one")
    return routes


def _route(node: Node, warnings: list[str]) -> Route:
    warnings += node.unknown("path", "target", "fallback")
    target = _target(node.need("target"), warnings)
    found = node.get("fallback")
    fallback = _target(found, warnings) if found else None
    if found is not None and fallback is not None and fallback.kind is target.kind:
        raise found.need("kind").wrong(f"is '{fallback.kind}' like the target's: it has to be another kind")
    return Route(path=_path(node.need("path")), target=target, fallback=fallback)


def _path(node: Node) -> str:
    path = node.text()
    if not path.startswith("/"):
        raise node.wrong(f"is {path!r}: it has to begin with `/`")
    if len(path) > LONGEST_PATH:
        raise node.wrong(f"has {len(path)} characters: at most {LONGEST_PATH} are allowed")
    if not _PATH.fullmatch(path):
        raise node.wrong(
            f"is {path!r}: only letters, digits and the characters _ - . * $ / ~ \" ' @ : + are allowed"
        )
    return path


def _target(node: Node, warnings: list[str]) -> Target:
    warnings += node.unknown("kind", "src", "cacheControl")
    kind = node.need("kind").choice(TargetKind)
    if kind is TargetKind.COMPUTE:
        if control := node.get("cacheControl"):
            raise control.wrong("is not allowed for Compute: the server sends Cache-Control itself")
        return Target(kind=kind, src=node.need("src").text())
    if src := node.get("src"):
        raise src.wrong(f"is not allowed for {kind}, only for Compute")
    control = node.get("cacheControl")
    if control is not None and not _FIELD_VALUE.fullmatch(control.text()):
        raise control.wrong("has characters that a header may not have")
    return Target(kind=kind, cache_control=control.text() if control else None)


def _resources(node: Node | None, warnings: list[str]) -> tuple[ComputeResource, ...]:
    items = node.items() if node else []
    found: list[ComputeResource] = []
    for item in items:
        warnings += item.unknown("name", "runtime", "entrypoint")
        name = item.need("name")
        if name.text() != RESOURCE:
            raise name.wrong(f"is {name.text()!r}: it has to be {RESOURCE!r}")
        if found:
            raise name.wrong(f"is {name.text()!r} like the one before: names have to differ")
        runtime = item.need("runtime")
        if runtime.text() not in RUNTIMES:
            warnings.append(
                f"{runtime.place} is {runtime.text()!r}, which Amplify does not run (it runs "
                f"{', '.join(sorted(RUNTIMES))}): the nearest Node that is there is used"
            )
        found.append(
            ComputeResource(
                name=name.text(), runtime=runtime.text(), entrypoint=_entrypoint(item.need("entrypoint"))
            )
        )
    return tuple(found)


def _entrypoint(node: Node) -> str:
    text = node.text()
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if text.startswith("/") or ".." in parts or not parts or "\0" in text or "\\" in text:
        raise node.wrong(f"is {text!r}: it has to be a file inside the server's folder, such as index.js")
    return "/".join(parts)


def _image_settings(node: Node, warnings: list[str]) -> ImageSettings:
    warnings += node.unknown(
        "sizes",
        "domains",
        "remotePatterns",
        "formats",
        "minimumCacheTTL",
        _MISSPELT_TTL,
        "dangerouslyAllowSVG",
    )
    ttl = node.get("minimumCacheTTL") or node.get(_MISSPELT_TTL) or node.need("minimumCacheTTL")
    return ImageSettings(
        sizes=tuple(item.whole(least=1, most=100_000) for item in node.need("sizes").items()),
        domains=tuple(item.text() for item in node.need("domains").items()),
        remote_patterns=tuple(
            _remote_pattern(item, warnings) for item in node.need("remotePatterns").items()
        ),
        formats=tuple(item.choice(ImageFormat) for item in node.need("formats").items()),
        minimum_cache_ttl=ttl.whole(least=0, most=_MOST_SECONDS),
        dangerously_allow_svg=node.need("dangerouslyAllowSVG").flag(),
    )


def _remote_pattern(node: Node, warnings: list[str]) -> RemotePattern:
    warnings += node.unknown("protocol", "hostname", "port", "pathname")
    protocol, port, pathname = node.get("protocol"), node.get("port"), node.get("pathname")
    if protocol is not None and protocol.text() != "https":
        raise protocol.wrong(f"is {protocol.text()!r}: only https is allowed")
    if port is not None and port.text(may_be_empty=True) and not re.fullmatch(r"[0-9]{1,5}", port.text()):
        raise port.wrong(f"is {port.text()!r}: it has to be digits in a string")
    return RemotePattern(
        hostname=node.need("hostname").text(),
        protocol=protocol.text() if protocol else None,
        port=port.text(may_be_empty=True) if port else None,
        pathname=pathname.text(may_be_empty=True) if pathname else None,
    )


def _check_targets(
    listed: Node,
    routes: Sequence[Route],
    resources: Sequence[ComputeResource],
    settings: ImageSettings | None,
) -> None:
    """What routes, resources and image settings have to be together."""
    kinds = {route.target.kind for route in routes}
    if not kinds & {TargetKind.STATIC, TargetKind.COMPUTE}:
        raise listed.wrong("needs at least one route to Static or Compute")
    names = {resource.name for resource in resources}
    for item, route in zip(listed.items(), routes, strict=True):
        for name, target in (("target", route.target), ("fallback", route.fallback)):
            if target is None:
                continue
            node = item.need(name)
            if target.kind is TargetKind.COMPUTE and target.src not in names:
                raise node.need("src").wrong(
                    f"is {target.src!r}, but computeResources has no resource of that name"
                )
            if target.kind is TargetKind.IMAGE:
                if settings is None:
                    raise node.need("kind").wrong(f"is '{target.kind}', which needs imageSettings")
                if TargetKind.COMPUTE not in kinds:
                    raise node.need("kind").wrong(
                        f"is '{target.kind}', which needs a route to Compute as well"
                    )
