"""`_LIVE_UPDATES`: tools in versions of the user's own, applied before preBuild.

`[{"name": "Node.js version", "pkg": "node", "type": "nvm", "version": "20.11.0"}, ...]`
(behaviour reference, section 5.4).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

VARIABLES = ("_LIVE_UPDATES", "_LIVE_PACKAGE_UPDATES")
_PACKAGE = re.compile(r"(@[\w.-]+/)?[\w.-]+")
_VERSION = re.compile(r"[\w.^~<>=*+ |-]{1,80}")
_EXACT = re.compile(r"v?(\d+(?:\.\d+){0,2})")


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveUpdates:
    """What is asked for and can be honoured."""

    node: str | None = None
    """A Node version the build is to start with."""
    commands: tuple[str, ...] = ()
    """Run in the build's shell before its first phase."""
    warnings: tuple[str, ...] = ()


def live_updates(variables: Mapping[str, str]) -> LiveUpdates:
    """What cannot be honoured becomes a warning: the machine's own version is used then."""
    name = next((name for name in VARIABLES if variables.get(name, "").strip()), None)
    if name is None:
        return LiveUpdates()
    try:
        listed = json.loads(variables[name])
    except ValueError as error:
        return LiveUpdates(warnings=(f"{name} is ignored: it is not JSON ({error})",))
    if not isinstance(listed, list):
        return LiveUpdates(warnings=(f"{name} is ignored: it must be a list",))
    node: str | None = None
    commands: list[str] = []
    warnings: list[str] = []
    for entry in listed:
        fields = entry if isinstance(entry, dict) else {}
        package, kind, version = (str(fields.get(key, "")).strip() for key in ("pkg", "type", "version"))
        told = f"{name}: {package or entry!r} {version}".rstrip()
        if kind == "nvm" or package == "node":
            exact = _EXACT.fullmatch(version)
            if exact:
                node = exact[1]
            else:
                warnings.append(f"{told} is ignored: the version of Node must be a number such as 22.11.0")
        elif kind in {"npm", "internal"} and _PACKAGE.fullmatch(package):
            wanted = version or "latest"
            if _VERSION.fullmatch(wanted):
                commands.append(f"npm install -g {shlex.quote(f'{package}@{wanted}')}")
            else:
                warnings.append(f"{told} is ignored: it is no version")
        else:
            warnings.append(
                f"{told} (type {kind or 'unknown'}) is not installed by Preamp: the machine's own is used; "
                "or install it in preBuild"
            )
    return LiveUpdates(node=node, commands=tuple(commands), warnings=tuple(warnings))
