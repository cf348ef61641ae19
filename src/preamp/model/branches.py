"""A branch: a git branch (or a named target of manual deployments), its settings and what it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchConfig:
    """Everything of a branch that UpdateBranch can change. `None`: never set, the app's value applies."""

    description: str | None = None
    stage: str = "NONE"
    """A `Stage` of the service model, or `NONE`, which the wire carries although the model lacks it."""
    display_name: str | None = None
    framework: str | None = None
    enable_notification: bool = False
    enable_auto_build: bool = True
    enable_skew_protection: bool = False
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    enable_basic_auth: bool | None = None
    basic_auth_credentials: str | None = None
    enable_performance_mode: bool = False
    build_spec: str | None = None
    ttl: str = "5"
    enable_pull_request_preview: bool = False
    pull_request_environment_name: str | None = None
    backend_environment_arn: str | None = None
    backend_stack_arn: str | None = None
    compute_role_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A stored branch."""

    branch_id: int
    """Never reused: a branch deleted and made again under the same name is another branch."""
    app_id: str
    name: str
    label: str
    """The first label of the host name; unique in the app."""
    config: BranchConfig
    created_ms: int
    updated_ms: int
    last_job: int
    """The newest number given to a job, 0 before the first. Numbers are never reused."""
    job_count: int
    """How many jobs the branch has now."""
    active_job: int | None
    """The job whose release is served."""
    active_release: str | None
    tags: Mapping[str, str] = field(default_factory=dict)
