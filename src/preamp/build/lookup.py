"""Which build spec applies: the repository's, the branch's, the app's, or a generated one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preamp.build import yaml_nodes
from preamp.build.errors import SpecError
from preamp.build.files import read_inside
from preamp.build.frameworks import detect
from preamp.build.spec import Application, BuildSpec, normal_root
from preamp.build.spec_parse import parse_spec
from preamp.model.apps import Platform

SPEC_FILE = "amplify.yml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The application to build and where it came from, for the log."""

    application: Application
    origin: str
    why: str
    warnings: tuple[str, ...]
    generated: str | None = None
    """The text of a generated spec, which the log shows."""


def find_spec(
    source: Path,
    *,
    branch_spec: str | None = None,
    app_spec: str | None = None,
    app_root: str | None = None,
    platform: Platform = Platform.WEB,
) -> Found:
    """app_root: the value of AMPLIFY_MONOREPO_APP_ROOT. platform: of the app, for a generated spec.

    Raises SpecError.
    """
    text = read_inside(source, SPEC_FILE, yaml_nodes.MAX_BYTES)
    if text is not None:
        return _chosen(parse_spec(text), f"{SPEC_FILE} of the repository", app_root)
    for saved, origin in (
        (branch_spec, "the build spec saved for the branch"),
        (app_spec, "the app's build spec"),
    ):
        if saved and saved.strip():
            return _chosen(parse_spec(saved), origin, app_root)
    return _generated(source, app_root, platform)


def _chosen(spec: BuildSpec, origin: str, app_root: str | None) -> Found:
    try:
        application, why = spec.select(app_root or None)
    except ValueError as error:
        raise SpecError(f"AMPLIFY_MONOREPO_APP_ROOT {error}") from None
    return Found(application=application, origin=origin, why=why, warnings=spec.warnings)


def _generated(source: Path, app_root: str | None, platform: Platform) -> Found:
    try:
        root = normal_root(app_root or "")
    except ValueError as error:
        raise SpecError(f"AMPLIFY_MONOREPO_APP_ROOT {error}") from None
    folder = source / root
    if not folder.is_dir() or not folder.resolve().is_relative_to(source.resolve()):
        raise SpecError(f"AMPLIFY_MONOREPO_APP_ROOT names {app_root!r}, which is no folder of the repository")
    detected = detect(folder, platform)
    application = parse_spec(detected.spec).applications[0]
    if root:
        application = Application(
            app_root=root, variables={}, frontend=application.frontend, backend=application.backend
        )
    return Found(
        application=application,
        origin=f"generated for {detected.name}",
        why="there is no build spec",
        warnings=(),
        generated=detected.spec,
    )
