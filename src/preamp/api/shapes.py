"""Inputs, outputs and structures of the service `amplify`, API version 2017-07-25.

Generated from botocore's service model, do not edit:
`python -m preamp.aws.generate_shapes amplify src/preamp/api/shapes.py`; a test checks that it is current.
Longer than other modules because it is one list that nobody writes by hand.

Timestamps are `int`, milliseconds since the epoch. Enums are plain `str`: the real service also uses values
that its model lacks. `None` is a member that is absent on the wire. Sensitive members are not in `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomRule:
    """`CustomRule` of the service model."""

    source: str
    target: str
    status: str | None = None
    condition: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoBranchCreationConfig:
    """`AutoBranchCreationConfig` of the service model."""

    stage: str | None = None
    framework: str | None = None
    enable_auto_build: bool | None = None
    environment_variables: Mapping[str, str] | None = None
    basic_auth_credentials: str | None = field(default=None, repr=False)
    enable_basic_auth: bool | None = None
    enable_performance_mode: bool | None = None
    build_spec: str | None = field(default=None, repr=False)
    enable_pull_request_preview: bool | None = None
    pull_request_environment_name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobConfig:
    """`JobConfig` of the service model."""

    build_compute_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheConfig:
    """`CacheConfig` of the service model."""

    type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateAppRequest:
    """Input of CreateApp: `POST /apps`."""

    name: str
    description: str | None = None
    repository: str | None = None
    platform: str | None = None
    compute_role_arn: str | None = None
    iam_service_role_arn: str | None = None
    oauth_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    environment_variables: Mapping[str, str] | None = None
    enable_branch_auto_build: bool | None = None
    enable_branch_auto_deletion: bool | None = None
    enable_basic_auth: bool | None = None
    basic_auth_credentials: str | None = field(default=None, repr=False)
    custom_rules: tuple[CustomRule, ...] | None = None
    tags: Mapping[str, str] | None = None
    build_spec: str | None = field(default=None, repr=False)
    custom_headers: str | None = None
    enable_auto_branch_creation: bool | None = None
    auto_branch_creation_patterns: tuple[str, ...] | None = None
    auto_branch_creation_config: AutoBranchCreationConfig | None = None
    job_config: JobConfig | None = None
    cache_config: CacheConfig | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductionBranch:
    """`ProductionBranch` of the service model."""

    last_deploy_time: int | None = None
    status: str | None = None
    thumbnail_url: str | None = None
    branch_name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WafConfiguration:
    """`WafConfiguration` of the service model."""

    web_acl_arn: str | None = None
    waf_status: str | None = None
    status_reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """`App` of the service model."""

    app_id: str
    app_arn: str
    name: str
    description: str
    repository: str
    platform: str
    create_time: int
    update_time: int
    environment_variables: Mapping[str, str]
    default_domain: str
    enable_branch_auto_build: bool
    enable_basic_auth: bool
    tags: Mapping[str, str] | None = None
    compute_role_arn: str | None = None
    iam_service_role_arn: str | None = None
    enable_branch_auto_deletion: bool | None = None
    basic_auth_credentials: str | None = field(default=None, repr=False)
    custom_rules: tuple[CustomRule, ...] | None = None
    production_branch: ProductionBranch | None = None
    build_spec: str | None = field(default=None, repr=False)
    custom_headers: str | None = None
    enable_auto_branch_creation: bool | None = None
    auto_branch_creation_patterns: tuple[str, ...] | None = None
    auto_branch_creation_config: AutoBranchCreationConfig | None = None
    repository_clone_method: str | None = None
    cache_config: CacheConfig | None = None
    webhook_create_time: int | None = None
    waf_configuration: WafConfiguration | None = None
    job_config: JobConfig | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateAppResult:
    """Output of CreateApp."""

    app: App


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateBackendEnvironmentRequest:
    """Input of CreateBackendEnvironment: `POST /apps/{appId}/backendenvironments`."""

    app_id: str
    environment_name: str
    stack_name: str | None = None
    deployment_artifacts: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendEnvironment:
    """`BackendEnvironment` of the service model."""

    backend_environment_arn: str
    environment_name: str
    create_time: int
    update_time: int
    stack_name: str | None = None
    deployment_artifacts: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateBackendEnvironmentResult:
    """Output of CreateBackendEnvironment."""

    backend_environment: BackendEnvironment


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """`Backend` of the service model."""

    stack_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateBranchRequest:
    """Input of CreateBranch: `POST /apps/{appId}/branches`."""

    app_id: str
    branch_name: str
    description: str | None = None
    stage: str | None = None
    framework: str | None = None
    enable_notification: bool | None = None
    enable_auto_build: bool | None = None
    enable_skew_protection: bool | None = None
    environment_variables: Mapping[str, str] | None = None
    basic_auth_credentials: str | None = field(default=None, repr=False)
    enable_basic_auth: bool | None = None
    enable_performance_mode: bool | None = None
    tags: Mapping[str, str] | None = None
    build_spec: str | None = field(default=None, repr=False)
    ttl: str | None = None
    display_name: str | None = None
    enable_pull_request_preview: bool | None = None
    pull_request_environment_name: str | None = None
    backend_environment_arn: str | None = None
    backend: Backend | None = None
    compute_role_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """`Branch` of the service model."""

    branch_arn: str
    branch_name: str
    description: str
    stage: str
    display_name: str
    enable_notification: bool
    create_time: int
    update_time: int
    environment_variables: Mapping[str, str]
    enable_auto_build: bool
    custom_domains: tuple[str, ...]
    framework: str
    active_job_id: str
    total_number_of_jobs: str
    enable_basic_auth: bool
    ttl: str
    enable_pull_request_preview: bool
    tags: Mapping[str, str] | None = None
    enable_skew_protection: bool | None = None
    enable_performance_mode: bool | None = None
    thumbnail_url: str | None = None
    basic_auth_credentials: str | None = field(default=None, repr=False)
    build_spec: str | None = field(default=None, repr=False)
    associated_resources: tuple[str, ...] | None = None
    pull_request_environment_name: str | None = None
    destination_branch: str | None = None
    source_branch: str | None = None
    backend_environment_arn: str | None = None
    backend: Backend | None = None
    compute_role_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateBranchResult:
    """Output of CreateBranch."""

    branch: Branch


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateDeploymentRequest:
    """Input of CreateDeployment: `POST /apps/{appId}/branches/{branchName}/deployments`."""

    app_id: str
    branch_name: str
    file_map: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateDeploymentResult:
    """Output of CreateDeployment."""

    file_upload_urls: Mapping[str, str]
    zip_upload_url: str
    job_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SubDomainSetting:
    """`SubDomainSetting` of the service model."""

    prefix: str
    branch_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateSettings:
    """`CertificateSettings` of the service model."""

    type: str
    custom_certificate_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateDomainAssociationRequest:
    """Input of CreateDomainAssociation: `POST /apps/{appId}/domains`."""

    app_id: str
    domain_name: str
    sub_domain_settings: tuple[SubDomainSetting, ...]
    enable_auto_sub_domain: bool | None = None
    auto_sub_domain_creation_patterns: tuple[str, ...] | None = None
    auto_sub_domain_iam_role: str | None = None
    certificate_settings: CertificateSettings | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SubDomain:
    """`SubDomain` of the service model."""

    sub_domain_setting: SubDomainSetting
    verified: bool
    dns_record: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """`Certificate` of the service model."""

    type: str
    custom_certificate_arn: str | None = None
    certificate_verification_dns_record: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainAssociation:
    """`DomainAssociation` of the service model."""

    domain_association_arn: str
    domain_name: str
    enable_auto_sub_domain: bool
    domain_status: str
    status_reason: str
    sub_domains: tuple[SubDomain, ...]
    auto_sub_domain_creation_patterns: tuple[str, ...] | None = None
    auto_sub_domain_iam_role: str | None = None
    update_status: str | None = None
    certificate_verification_dns_record: str | None = None
    certificate: Certificate | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateDomainAssociationResult:
    """Output of CreateDomainAssociation."""

    domain_association: DomainAssociation


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateWebhookRequest:
    """Input of CreateWebhook: `POST /apps/{appId}/webhooks`."""

    app_id: str
    branch_name: str
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """`Webhook` of the service model."""

    webhook_arn: str
    webhook_id: str
    webhook_url: str
    branch_name: str
    description: str
    create_time: int
    update_time: int
    app_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateWebhookResult:
    """Output of CreateWebhook."""

    webhook: Webhook


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteAppRequest:
    """Input of DeleteApp: `DELETE /apps/{appId}`."""

    app_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteAppResult:
    """Output of DeleteApp."""

    app: App


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteBackendEnvironmentRequest:
    """Input of DeleteBackendEnvironment: `DELETE /apps/{appId}/backendenvironments/{environmentName}`."""

    app_id: str
    environment_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteBackendEnvironmentResult:
    """Output of DeleteBackendEnvironment."""

    backend_environment: BackendEnvironment


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteBranchRequest:
    """Input of DeleteBranch: `DELETE /apps/{appId}/branches/{branchName}`."""

    app_id: str
    branch_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteBranchResult:
    """Output of DeleteBranch."""

    branch: Branch


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteDomainAssociationRequest:
    """Input of DeleteDomainAssociation: `DELETE /apps/{appId}/domains/{domainName}`."""

    app_id: str
    domain_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteDomainAssociationResult:
    """Output of DeleteDomainAssociation."""

    domain_association: DomainAssociation


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteJobRequest:
    """Input of DeleteJob: `DELETE /apps/{appId}/branches/{branchName}/jobs/{jobId}`."""

    app_id: str
    branch_name: str
    job_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSummary:
    """`JobSummary` of the service model."""

    job_arn: str
    job_id: str
    commit_id: str
    commit_message: str
    commit_time: int
    start_time: int
    status: str
    job_type: str
    end_time: int | None = None
    source_url: str | None = None
    source_url_type: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteJobResult:
    """Output of DeleteJob."""

    job_summary: JobSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteWebhookRequest:
    """Input of DeleteWebhook: `DELETE /webhooks/{webhookId}`."""

    webhook_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteWebhookResult:
    """Output of DeleteWebhook."""

    webhook: Webhook


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateAccessLogsRequest:
    """Input of GenerateAccessLogs: `POST /apps/{appId}/accesslogs`."""

    domain_name: str
    app_id: str
    start_time: int | None = None
    end_time: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateAccessLogsResult:
    """Output of GenerateAccessLogs."""

    log_url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GetAppRequest:
    """Input of GetApp: `GET /apps/{appId}`."""

    app_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetAppResult:
    """Output of GetApp."""

    app: App


@dataclass(frozen=True, kw_only=True, slots=True)
class GetArtifactUrlRequest:
    """Input of GetArtifactUrl: `GET /artifacts/{artifactId}`."""

    artifact_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetArtifactUrlResult:
    """Output of GetArtifactUrl."""

    artifact_id: str
    artifact_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetBackendEnvironmentRequest:
    """Input of GetBackendEnvironment: `GET /apps/{appId}/backendenvironments/{environmentName}`."""

    app_id: str
    environment_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetBackendEnvironmentResult:
    """Output of GetBackendEnvironment."""

    backend_environment: BackendEnvironment


@dataclass(frozen=True, kw_only=True, slots=True)
class GetBranchRequest:
    """Input of GetBranch: `GET /apps/{appId}/branches/{branchName}`."""

    app_id: str
    branch_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetBranchResult:
    """Output of GetBranch."""

    branch: Branch


@dataclass(frozen=True, kw_only=True, slots=True)
class GetDomainAssociationRequest:
    """Input of GetDomainAssociation: `GET /apps/{appId}/domains/{domainName}`."""

    app_id: str
    domain_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetDomainAssociationResult:
    """Output of GetDomainAssociation."""

    domain_association: DomainAssociation


@dataclass(frozen=True, kw_only=True, slots=True)
class GetJobRequest:
    """Input of GetJob: `GET /apps/{appId}/branches/{branchName}/jobs/{jobId}`."""

    app_id: str
    branch_name: str
    job_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`Step` of the service model."""

    step_name: str
    start_time: int
    status: str
    end_time: int
    log_url: str | None = None
    artifacts_url: str | None = None
    test_artifacts_url: str | None = None
    test_config_url: str | None = None
    screenshots: Mapping[str, str] | None = None
    status_reason: str | None = None
    context: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """`Job` of the service model."""

    summary: JobSummary
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GetJobResult:
    """Output of GetJob."""

    job: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class GetWebhookRequest:
    """Input of GetWebhook: `GET /webhooks/{webhookId}`."""

    webhook_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetWebhookResult:
    """Output of GetWebhook."""

    webhook: Webhook


@dataclass(frozen=True, kw_only=True, slots=True)
class ListAppsRequest:
    """Input of ListApps: `GET /apps`."""

    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListAppsResult:
    """Output of ListApps."""

    apps: tuple[App, ...]
    next_token: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListArtifactsRequest:
    """Input of ListArtifacts: `GET /apps/{appId}/branches/{branchName}/jobs/{jobId}/artifacts`."""

    app_id: str
    branch_name: str
    job_id: str
    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """`Artifact` of the service model."""

    artifact_file_name: str
    artifact_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListArtifactsResult:
    """Output of ListArtifacts."""

    artifacts: tuple[Artifact, ...]
    next_token: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListBackendEnvironmentsRequest:
    """Input of ListBackendEnvironments: `GET /apps/{appId}/backendenvironments`."""

    app_id: str
    environment_name: str | None = None
    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListBackendEnvironmentsResult:
    """Output of ListBackendEnvironments."""

    backend_environments: tuple[BackendEnvironment, ...]
    next_token: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListBranchesRequest:
    """Input of ListBranches: `GET /apps/{appId}/branches`."""

    app_id: str
    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListBranchesResult:
    """Output of ListBranches."""

    branches: tuple[Branch, ...]
    next_token: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListDomainAssociationsRequest:
    """Input of ListDomainAssociations: `GET /apps/{appId}/domains`."""

    app_id: str
    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListDomainAssociationsResult:
    """Output of ListDomainAssociations."""

    domain_associations: tuple[DomainAssociation, ...]
    next_token: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListJobsRequest:
    """Input of ListJobs: `GET /apps/{appId}/branches/{branchName}/jobs`."""

    app_id: str
    branch_name: str
    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListJobsResult:
    """Output of ListJobs."""

    job_summaries: tuple[JobSummary, ...]
    next_token: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListTagsForResourceRequest:
    """Input of ListTagsForResource: `GET /tags/{resourceArn}`."""

    resource_arn: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListTagsForResourceResponse:
    """Output of ListTagsForResource."""

    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListWebhooksRequest:
    """Input of ListWebhooks: `GET /apps/{appId}/webhooks`."""

    app_id: str
    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListWebhooksResult:
    """Output of ListWebhooks."""

    webhooks: tuple[Webhook, ...]
    next_token: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StartDeploymentRequest:
    """Input of StartDeployment: `POST /apps/{appId}/branches/{branchName}/deployments/start`."""

    app_id: str
    branch_name: str
    job_id: str | None = None
    source_url: str | None = None
    source_url_type: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StartDeploymentResult:
    """Output of StartDeployment."""

    job_summary: JobSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class StartJobRequest:
    """Input of StartJob: `POST /apps/{appId}/branches/{branchName}/jobs`."""

    app_id: str
    branch_name: str
    job_type: str
    job_id: str | None = None
    job_reason: str | None = None
    commit_id: str | None = None
    commit_message: str | None = None
    commit_time: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StartJobResult:
    """Output of StartJob."""

    job_summary: JobSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class StopJobRequest:
    """Input of StopJob: `DELETE /apps/{appId}/branches/{branchName}/jobs/{jobId}/stop`."""

    app_id: str
    branch_name: str
    job_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StopJobResult:
    """Output of StopJob."""

    job_summary: JobSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class TagResourceRequest:
    """Input of TagResource: `POST /tags/{resourceArn}`."""

    resource_arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class TagResourceResponse:
    """Output of TagResource."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UntagResourceRequest:
    """Input of UntagResource: `DELETE /tags/{resourceArn}`."""

    resource_arn: str
    tag_keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class UntagResourceResponse:
    """Output of UntagResource."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateAppRequest:
    """Input of UpdateApp: `POST /apps/{appId}`."""

    app_id: str
    name: str | None = None
    description: str | None = None
    platform: str | None = None
    compute_role_arn: str | None = None
    iam_service_role_arn: str | None = None
    environment_variables: Mapping[str, str] | None = None
    enable_branch_auto_build: bool | None = None
    enable_branch_auto_deletion: bool | None = None
    enable_basic_auth: bool | None = None
    basic_auth_credentials: str | None = field(default=None, repr=False)
    custom_rules: tuple[CustomRule, ...] | None = None
    build_spec: str | None = field(default=None, repr=False)
    custom_headers: str | None = None
    enable_auto_branch_creation: bool | None = None
    auto_branch_creation_patterns: tuple[str, ...] | None = None
    auto_branch_creation_config: AutoBranchCreationConfig | None = None
    repository: str | None = None
    oauth_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    job_config: JobConfig | None = None
    cache_config: CacheConfig | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateAppResult:
    """Output of UpdateApp."""

    app: App


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateBranchRequest:
    """Input of UpdateBranch: `POST /apps/{appId}/branches/{branchName}`."""

    app_id: str
    branch_name: str
    description: str | None = None
    framework: str | None = None
    stage: str | None = None
    enable_notification: bool | None = None
    enable_auto_build: bool | None = None
    enable_skew_protection: bool | None = None
    environment_variables: Mapping[str, str] | None = None
    basic_auth_credentials: str | None = field(default=None, repr=False)
    enable_basic_auth: bool | None = None
    enable_performance_mode: bool | None = None
    build_spec: str | None = field(default=None, repr=False)
    ttl: str | None = None
    display_name: str | None = None
    enable_pull_request_preview: bool | None = None
    pull_request_environment_name: str | None = None
    backend_environment_arn: str | None = None
    backend: Backend | None = None
    compute_role_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateBranchResult:
    """Output of UpdateBranch."""

    branch: Branch


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateDomainAssociationRequest:
    """Input of UpdateDomainAssociation: `POST /apps/{appId}/domains/{domainName}`."""

    app_id: str
    domain_name: str
    enable_auto_sub_domain: bool | None = None
    sub_domain_settings: tuple[SubDomainSetting, ...] | None = None
    auto_sub_domain_creation_patterns: tuple[str, ...] | None = None
    auto_sub_domain_iam_role: str | None = None
    certificate_settings: CertificateSettings | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateDomainAssociationResult:
    """Output of UpdateDomainAssociation."""

    domain_association: DomainAssociation


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateWebhookRequest:
    """Input of UpdateWebhook: `POST /webhooks/{webhookId}`."""

    webhook_id: str
    branch_name: str | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateWebhookResult:
    """Output of UpdateWebhook."""

    webhook: Webhook


OPERATION_TYPES: Mapping[str, tuple[type, type]] = {
    "CreateApp": (CreateAppRequest, CreateAppResult),
    "CreateBackendEnvironment": (CreateBackendEnvironmentRequest, CreateBackendEnvironmentResult),
    "CreateBranch": (CreateBranchRequest, CreateBranchResult),
    "CreateDeployment": (CreateDeploymentRequest, CreateDeploymentResult),
    "CreateDomainAssociation": (CreateDomainAssociationRequest, CreateDomainAssociationResult),
    "CreateWebhook": (CreateWebhookRequest, CreateWebhookResult),
    "DeleteApp": (DeleteAppRequest, DeleteAppResult),
    "DeleteBackendEnvironment": (DeleteBackendEnvironmentRequest, DeleteBackendEnvironmentResult),
    "DeleteBranch": (DeleteBranchRequest, DeleteBranchResult),
    "DeleteDomainAssociation": (DeleteDomainAssociationRequest, DeleteDomainAssociationResult),
    "DeleteJob": (DeleteJobRequest, DeleteJobResult),
    "DeleteWebhook": (DeleteWebhookRequest, DeleteWebhookResult),
    "GenerateAccessLogs": (GenerateAccessLogsRequest, GenerateAccessLogsResult),
    "GetApp": (GetAppRequest, GetAppResult),
    "GetArtifactUrl": (GetArtifactUrlRequest, GetArtifactUrlResult),
    "GetBackendEnvironment": (GetBackendEnvironmentRequest, GetBackendEnvironmentResult),
    "GetBranch": (GetBranchRequest, GetBranchResult),
    "GetDomainAssociation": (GetDomainAssociationRequest, GetDomainAssociationResult),
    "GetJob": (GetJobRequest, GetJobResult),
    "GetWebhook": (GetWebhookRequest, GetWebhookResult),
    "ListApps": (ListAppsRequest, ListAppsResult),
    "ListArtifacts": (ListArtifactsRequest, ListArtifactsResult),
    "ListBackendEnvironments": (ListBackendEnvironmentsRequest, ListBackendEnvironmentsResult),
    "ListBranches": (ListBranchesRequest, ListBranchesResult),
    "ListDomainAssociations": (ListDomainAssociationsRequest, ListDomainAssociationsResult),
    "ListJobs": (ListJobsRequest, ListJobsResult),
    "ListTagsForResource": (ListTagsForResourceRequest, ListTagsForResourceResponse),
    "ListWebhooks": (ListWebhooksRequest, ListWebhooksResult),
    "StartDeployment": (StartDeploymentRequest, StartDeploymentResult),
    "StartJob": (StartJobRequest, StartJobResult),
    "StopJob": (StopJobRequest, StopJobResult),
    "TagResource": (TagResourceRequest, TagResourceResponse),
    "UntagResource": (UntagResourceRequest, UntagResourceResponse),
    "UpdateApp": (UpdateAppRequest, UpdateAppResult),
    "UpdateBranch": (UpdateBranchRequest, UpdateBranchResult),
    "UpdateDomainAssociation": (UpdateDomainAssociationRequest, UpdateDomainAssociationResult),
    "UpdateWebhook": (UpdateWebhookRequest, UpdateWebhookResult),
}
"""Operation -> its input and output type."""
