"""Every `spec_cases/*.yml` parses to what the `.json` beside it says."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from preamp.build.errors import SpecError
from preamp.build.spec import ArtifactRule, BuildSpec, Section
from preamp.build.spec_parse import parse_spec

CASES = sorted((Path(__file__).parent / "spec_cases").glob("*.yml"))


def section(value: Section) -> dict[str, object]:
    found: dict[str, object] = {
        phase.name: [command.text for command in phase.commands] for phase in value.phases
    }
    if value.artifacts is not None:
        plain = asdict(ArtifactRule(base_directory=None))
        found["artifacts"] = {
            key: list(item) if isinstance(item, tuple) else item
            for key, item in asdict(value.artifacts).items()
            if key == "base_directory" or item != plain[key]
        }
    if value.cache_paths:
        found["cache"] = list(value.cache_paths)
    if value.build_path is not None:
        found["buildPath"] = value.build_path
    return found


def shown(spec: BuildSpec) -> dict[str, object]:
    """A spec without what is at its default, so that a case shows what matters."""
    applications = []
    for application in spec.applications:
        entry: dict[str, object] = {"frontend": section(application.frontend)}
        if application.app_root is not None:
            entry["appRoot"] = application.app_root
        if application.variables:
            entry["variables"] = dict(application.variables)
        if application.backend != Section():
            entry["backend"] = section(application.backend)
        if application.test is not None:
            entry["test"] = section(application.test)
        if application.build_path is not None:
            entry["buildPath"] = application.build_path
        if application.custom_headers is not None:
            entry["customHeaders"] = json.loads(application.custom_headers)
        applications.append(entry)
    result: dict[str, object] = {"applications": applications}
    if spec.monorepo:
        result["monorepo"] = True
    if spec.warnings:
        result["warnings"] = list(spec.warnings)
    return result


def outcome(path: Path) -> dict[str, object]:
    text = path.read_bytes().decode()
    try:
        return shown(parse_spec(text))
    except SpecError as error:
        return {"error": error.message, "line": error.line, "column": error.column}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    assert outcome(path) == json.loads(path.with_suffix(".json").read_text())


def test_there_are_cases() -> None:
    assert len(CASES) >= 60
