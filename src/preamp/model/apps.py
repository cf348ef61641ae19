"""An app: one repository (or a series of manual deployments) and the settings of its branches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from preamp.model.caller import Scope


class Platform(StrEnum):
    WEB = "WEB"  # static files
    WEB_DYNAMIC = "WEB_DYNAMIC"  # the old form of server-side rendering
    WEB_COMPUTE = "WEB_COMPUTE"  # static files and a Node server


class CacheConfigType(StrEnum):
    AMPLIFY_MANAGED = "AMPLIFY_MANAGED"  # cookies are part of the cache key
    AMPLIFY_MANAGED_NO_COOKIES = "AMPLIFY_MANAGED_NO_COOKIES"  # they are not


class ComputeType(StrEnum):
    STANDARD_8GB = "STANDARD_8GB"  # 4 vCPU, 8 GiB memory, 128 GB disk
    LARGE_16GB = "LARGE_16GB"  # 8 vCPU, 16 GiB memory, 128 GB disk
    XLARGE_72GB = "XLARGE_72GB"  # 36 vCPU, 72 GiB memory, 256 GB disk


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomRule:
    """A redirect or rewrite; the list is evaluated from its top, the first match wins."""

    source: str
    target: str
    status: str | None = None
    condition: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoBranchCreationConfig:
    """What a branch created by a pattern starts with."""

    stage: str | None = None
    framework: str | None = None
    enable_auto_build: bool = False
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    basic_auth_credentials: str | None = None
    enable_basic_auth: bool = False
    enable_performance_mode: bool = False
    build_spec: str | None = None
    enable_pull_request_preview: bool = False
    pull_request_environment_name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AppConfig:
    """Everything of an app that UpdateApp can change. `None`: never set."""

    name: str
    description: str | None = None
    repository: str | None = None
    platform: Platform = Platform.WEB
    iam_service_role_arn: str | None = None
    compute_role_arn: str | None = None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    enable_branch_auto_build: bool = False
    enable_branch_auto_deletion: bool = False
    enable_basic_auth: bool = False
    basic_auth_credentials: str | None = None
    """Base 64 of `user:password`, kept and returned verbatim."""
    custom_rules: tuple[CustomRule, ...] = ()
    build_spec: str | None = None
    custom_headers: str | None = None
    enable_auto_branch_creation: bool = False
    auto_branch_creation_patterns: tuple[str, ...] = ()
    auto_branch_creation_config: AutoBranchCreationConfig | None = None
    cache_config: CacheConfigType = CacheConfigType.AMPLIFY_MANAGED
    compute_type: ComputeType = ComputeType.STANDARD_8GB


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """A stored app."""

    app_id: str
    scope: Scope
    config: AppConfig
    created_ms: int
    updated_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
