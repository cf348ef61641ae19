"""A backend environment of Amplify's first generation: names that other tools look up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendEnvironment:
    """A stored backend environment."""

    app_id: str
    name: str
    stack_name: str
    """Of CloudFormation."""
    deployment_artifacts: str
    """Name of the bucket with the deployment's artifacts."""
    created_ms: int
    updated_ms: int
