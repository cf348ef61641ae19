"""Which addresses of a Next.js site are files, for deploy-manifest.json."""

from __future__ import annotations

import re
from collections.abc import Sequence

from preamp.build.next.output import NextBuild
from preamp.model.deploy_manifest import CATCH_ALL, LONGEST_PATH, MOST_ROUTES, RESOURCE

ENTRYPOINT = "preamp-next.cjs"
ONE_YEAR = "public, max-age=31536000, immutable"
_NOT_IN_PATTERNS = re.compile(r"[^A-Za-z0-9_\-.$/~\"'@:+]+")
_COMPUTE = {"kind": "Compute", "src": RESOURCE}


def manifest(build: NextBuild, *, runtime: str, public: Sequence[str]) -> dict[str, object]:
    """deploy-manifest.json. public: what lies directly below `static/` of `public/`, folders with `/`."""
    images = _pattern(build.image_path)
    routes: list[dict[str, object]] = [
        {
            "path": _pattern(f"{build.asset_path}/_next/static/") + "*",
            "target": {"kind": "Static", "cacheControl": ONE_YEAR},
        },
        {"path": images, "target": _COMPUTE},
    ]
    paths = list(dict.fromkeys(_public_path(build.base_path, name) for name in public))
    if len(paths) > MOST_ROUTES - len(routes) - 1 or any(len(path) > LONGEST_PATH for path in paths):
        paths = [_pattern(build.base_path) + "/*.*"]
    routes += [{"path": path, "target": {"kind": "Static"}, "fallback": _COMPUTE} for path in paths]
    routes.append({"path": CATCH_ALL, "target": _COMPUTE})
    return {
        "version": 1,
        "framework": {"name": "next", "version": build.version},
        "routes": routes,
        "computeResources": [{"name": RESOURCE, "runtime": runtime, "entrypoint": ENTRYPOINT}],
    }


def _public_path(base: str, name: str) -> str:
    """A folder may bear the name of a page, which is sent forms: only what has a suffix is a file there."""
    return _pattern(f"{base}/{name}") + ("*.*" if name.endswith("/") else "")


def _pattern(path: str) -> str:
    return _NOT_IN_PATTERNS.sub("*", path)
