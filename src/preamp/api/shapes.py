"""Inputs, outputs and structures of the service `amplify`, API version 2017-07-25.

Generated from botocore's service model, do not edit; a test checks that it is current:
`python -m preamp.aws.generate_shapes amplify src/preamp/api/shapes.py --optional SubDomainSetting.prefix`
Longer than other modules because it is one list that nobody writes by hand.

Timestamps are `float`, seconds since the epoch, as on the wire. Enums are plain `str`: the real service also
uses values that its model lacks. `None` is a member that is absent on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec import field

from preamp.model.shape import ShapeStruct


class CustomRule(ShapeStruct, frozen=True, kw_only=True):
    """`CustomRule` of the service model."""

    source: str
    target: str
    status: str | None = None
    condition: str | None = None


class AutoBranchCreationConfig(ShapeStruct, frozen=True, kw_only=True):
    """`AutoBranchCreationConfig` of the service model."""

    SENSITIVE: ClassVar[frozenset[str]] = frozenset({"basic_auth_credentials", "build_spec"})
    stage: str | None = None
    framework: str | None = None
    enable_auto_build: bool | None = None
    environment_variables: Mapping[str, str] | None = None
    basic_auth_credentials: str | None = None
    enable_basic_auth: bool | None = None
    enable_performance_mode: bool | None = None
    build_spec: str | None = None
    enable_pull_request_preview: bool | None = None
    pull_request_environment_name: str | None = None


class JobConfig(ShapeStruct, frozen=True, kw_only=True):
    """`JobConfig` of the service model."""

    build_compute_type: str


class CacheConfig(ShapeStruct, frozen=True, kw_only=True):
    """`CacheConfig` of the service model."""

    type: str


class CreateAppRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of CreateApp: `POST /apps`."""

    SENSITIVE: ClassVar[frozenset[str]] = frozenset(
        {"access_token", "basic_auth_credentials", "build_spec", "oauth_token"}
    )
    name: str
    description: str | None = None
    repository: str | None = None
    platform: str | None = None
    compute_role_arn: str | None = None
    iam_service_role_arn: str | None = None
    oauth_token: str | None = None
    access_token: str | None = None
    environment_variables: Mapping[str, str] | None = None
    enable_branch_auto_build: bool | None = None
    enable_branch_auto_deletion: bool | None = None
    enable_basic_auth: bool | None = None
    basic_auth_credentials: str | None = None
    custom_rules: tuple[CustomRule, ...] | None = None
    tags: Mapping[str, str] | None = None
    build_spec: str | None = None
    custom_headers: str | None = None
    enable_auto_branch_creation: bool | None = None
    auto_branch_creation_patterns: tuple[str, ...] | None = None
    auto_branch_creation_config: AutoBranchCreationConfig | None = None
    job_config: JobConfig | None = None
    cache_config: CacheConfig | None = None


class ProductionBranch(ShapeStruct, frozen=True, kw_only=True):
    """`ProductionBranch` of the service model."""

    last_deploy_time: float | None = None
    status: str | None = None
    thumbnail_url: str | None = None
    branch_name: str | None = None


class WafConfiguration(ShapeStruct, frozen=True, kw_only=True):
    """`WafConfiguration` of the service model."""

    web_acl_arn: str | None = None
    waf_status: str | None = None
    status_reason: str | None = None


class App(ShapeStruct, frozen=True, kw_only=True):
    """`App` of the service model."""

    SENSITIVE: ClassVar[frozenset[str]] = frozenset({"basic_auth_credentials", "build_spec"})
    app_id: str
    app_arn: str
    name: str
    description: str
    repository: str
    platform: str
    create_time: float
    update_time: float
    environment_variables: Mapping[str, str]
    default_domain: str
    enable_branch_auto_build: bool
    enable_basic_auth: bool
    tags: Mapping[str, str] | None = None
    compute_role_arn: str | None = None
    iam_service_role_arn: str | None = None
    enable_branch_auto_deletion: bool | None = None
    basic_auth_credentials: str | None = None
    custom_rules: tuple[CustomRule, ...] | None = None
    production_branch: ProductionBranch | None = None
    build_spec: str | None = None
    custom_headers: str | None = None
    enable_auto_branch_creation: bool | None = None
    auto_branch_creation_patterns: tuple[str, ...] | None = None
    auto_branch_creation_config: AutoBranchCreationConfig | None = None
    repository_clone_method: str | None = None
    cache_config: CacheConfig | None = None
    webhook_create_time: float | None = None
    waf_configuration: WafConfiguration | None = None
    job_config: JobConfig | None = None


class CreateAppResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of CreateApp."""

    app: App


class CreateBackendEnvironmentRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of CreateBackendEnvironment: `POST /apps/{appId}/backendenvironments`."""

    app_id: str
    environment_name: str
    stack_name: str | None = None
    deployment_artifacts: str | None = None


class BackendEnvironment(ShapeStruct, frozen=True, kw_only=True):
    """`BackendEnvironment` of the service model."""

    backend_environment_arn: str
    environment_name: str
    create_time: float
    update_time: float
    stack_name: str | None = None
    deployment_artifacts: str | None = None


class CreateBackendEnvironmentResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of CreateBackendEnvironment."""

    backend_environment: BackendEnvironment


class Backend(ShapeStruct, frozen=True, kw_only=True):
    """`Backend` of the service model."""

    stack_arn: str | None = None


class CreateBranchRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of CreateBranch: `POST /apps/{appId}/branches`."""

    SENSITIVE: ClassVar[frozenset[str]] = frozenset({"basic_auth_credentials", "build_spec"})
    app_id: str
    branch_name: str
    description: str | None = None
    stage: str | None = None
    framework: str | None = None
    enable_notification: bool | None = None
    enable_auto_build: bool | None = None
    enable_skew_protection: bool | None = None
    environment_variables: Mapping[str, str] | None = None
    basic_auth_credentials: str | None = None
    enable_basic_auth: bool | None = None
    enable_performance_mode: bool | None = None
    tags: Mapping[str, str] | None = None
    build_spec: str | None = None
    ttl: str | None = None
    display_name: str | None = None
    enable_pull_request_preview: bool | None = None
    pull_request_environment_name: str | None = None
    backend_environment_arn: str | None = None
    backend: Backend | None = None
    compute_role_arn: str | None = None


class Branch(ShapeStruct, frozen=True, kw_only=True):
    """`Branch` of the service model."""

    SENSITIVE: ClassVar[frozenset[str]] = frozenset({"basic_auth_credentials", "build_spec"})
    branch_arn: str
    branch_name: str
    description: str
    stage: str
    display_name: str
    enable_notification: bool
    create_time: float
    update_time: float
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
    basic_auth_credentials: str | None = None
    build_spec: str | None = None
    associated_resources: tuple[str, ...] | None = None
    pull_request_environment_name: str | None = None
    destination_branch: str | None = None
    source_branch: str | None = None
    backend_environment_arn: str | None = None
    backend: Backend | None = None
    compute_role_arn: str | None = None


class CreateBranchResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of CreateBranch."""

    branch: Branch


class CreateDeploymentRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of CreateDeployment: `POST /apps/{appId}/branches/{branchName}/deployments`."""

    app_id: str
    branch_name: str
    file_map: Mapping[str, str] | None = None


class CreateDeploymentResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of CreateDeployment."""

    file_upload_urls: Mapping[str, str]
    zip_upload_url: str
    job_id: str | None = None


class SubDomainSetting(ShapeStruct, frozen=True, kw_only=True):
    """`SubDomainSetting` of the service model."""

    branch_name: str
    prefix: str | None = None


class CertificateSettings(ShapeStruct, frozen=True, kw_only=True):
    """`CertificateSettings` of the service model."""

    type: str
    custom_certificate_arn: str | None = None


class CreateDomainAssociationRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of CreateDomainAssociation: `POST /apps/{appId}/domains`."""

    app_id: str
    domain_name: str
    sub_domain_settings: tuple[SubDomainSetting, ...]
    enable_auto_sub_domain: bool | None = None
    auto_sub_domain_creation_patterns: tuple[str, ...] | None = None
    auto_sub_domain_iam_role: str | None = field(default=None, name="autoSubDomainIAMRole")
    certificate_settings: CertificateSettings | None = None


class SubDomain(ShapeStruct, frozen=True, kw_only=True):
    """`SubDomain` of the service model."""

    sub_domain_setting: SubDomainSetting
    verified: bool
    dns_record: str


class Certificate(ShapeStruct, frozen=True, kw_only=True):
    """`Certificate` of the service model."""

    type: str
    custom_certificate_arn: str | None = None
    certificate_verification_dns_record: str | None = field(
        default=None, name="certificateVerificationDNSRecord"
    )


class DomainAssociation(ShapeStruct, frozen=True, kw_only=True):
    """`DomainAssociation` of the service model."""

    domain_association_arn: str
    domain_name: str
    enable_auto_sub_domain: bool
    domain_status: str
    status_reason: str
    sub_domains: tuple[SubDomain, ...]
    auto_sub_domain_creation_patterns: tuple[str, ...] | None = None
    auto_sub_domain_iam_role: str | None = field(default=None, name="autoSubDomainIAMRole")
    update_status: str | None = None
    certificate_verification_dns_record: str | None = field(
        default=None, name="certificateVerificationDNSRecord"
    )
    certificate: Certificate | None = None


class CreateDomainAssociationResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of CreateDomainAssociation."""

    domain_association: DomainAssociation


class CreateWebhookRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of CreateWebhook: `POST /apps/{appId}/webhooks`."""

    app_id: str
    branch_name: str
    description: str | None = None


class Webhook(ShapeStruct, frozen=True, kw_only=True):
    """`Webhook` of the service model."""

    webhook_arn: str
    webhook_id: str
    webhook_url: str
    branch_name: str
    description: str
    create_time: float
    update_time: float
    app_id: str | None = None


class CreateWebhookResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of CreateWebhook."""

    webhook: Webhook


class DeleteAppRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of DeleteApp: `DELETE /apps/{appId}`."""

    app_id: str


class DeleteAppResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of DeleteApp."""

    app: App


class DeleteBackendEnvironmentRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of DeleteBackendEnvironment: `DELETE /apps/{appId}/backendenvironments/{environmentName}`."""

    app_id: str
    environment_name: str


class DeleteBackendEnvironmentResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of DeleteBackendEnvironment."""

    backend_environment: BackendEnvironment


class DeleteBranchRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of DeleteBranch: `DELETE /apps/{appId}/branches/{branchName}`."""

    app_id: str
    branch_name: str


class DeleteBranchResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of DeleteBranch."""

    branch: Branch


class DeleteDomainAssociationRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of DeleteDomainAssociation: `DELETE /apps/{appId}/domains/{domainName}`."""

    app_id: str
    domain_name: str


class DeleteDomainAssociationResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of DeleteDomainAssociation."""

    domain_association: DomainAssociation


class DeleteJobRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of DeleteJob: `DELETE /apps/{appId}/branches/{branchName}/jobs/{jobId}`."""

    app_id: str
    branch_name: str
    job_id: str


class JobSummary(ShapeStruct, frozen=True, kw_only=True):
    """`JobSummary` of the service model."""

    job_arn: str
    job_id: str
    commit_id: str
    commit_message: str
    commit_time: float
    start_time: float
    status: str
    job_type: str
    end_time: float | None = None
    source_url: str | None = None
    source_url_type: str | None = None


class DeleteJobResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of DeleteJob."""

    job_summary: JobSummary


class DeleteWebhookRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of DeleteWebhook: `DELETE /webhooks/{webhookId}`."""

    webhook_id: str


class DeleteWebhookResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of DeleteWebhook."""

    webhook: Webhook


class GenerateAccessLogsRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GenerateAccessLogs: `POST /apps/{appId}/accesslogs`."""

    domain_name: str
    app_id: str
    start_time: float | None = None
    end_time: float | None = None


class GenerateAccessLogsResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GenerateAccessLogs."""

    log_url: str | None = None


class GetAppRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GetApp: `GET /apps/{appId}`."""

    app_id: str


class GetAppResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GetApp."""

    app: App


class GetArtifactUrlRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GetArtifactUrl: `GET /artifacts/{artifactId}`."""

    artifact_id: str


class GetArtifactUrlResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GetArtifactUrl."""

    artifact_id: str
    artifact_url: str


class GetBackendEnvironmentRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GetBackendEnvironment: `GET /apps/{appId}/backendenvironments/{environmentName}`."""

    app_id: str
    environment_name: str


class GetBackendEnvironmentResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GetBackendEnvironment."""

    backend_environment: BackendEnvironment


class GetBranchRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GetBranch: `GET /apps/{appId}/branches/{branchName}`."""

    app_id: str
    branch_name: str


class GetBranchResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GetBranch."""

    branch: Branch


class GetDomainAssociationRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GetDomainAssociation: `GET /apps/{appId}/domains/{domainName}`."""

    app_id: str
    domain_name: str


class GetDomainAssociationResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GetDomainAssociation."""

    domain_association: DomainAssociation


class GetJobRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GetJob: `GET /apps/{appId}/branches/{branchName}/jobs/{jobId}`."""

    app_id: str
    branch_name: str
    job_id: str


class Step(ShapeStruct, frozen=True, kw_only=True):
    """`Step` of the service model."""

    step_name: str
    start_time: float
    status: str
    end_time: float
    log_url: str | None = None
    artifacts_url: str | None = None
    test_artifacts_url: str | None = None
    test_config_url: str | None = None
    screenshots: Mapping[str, str] | None = None
    status_reason: str | None = None
    context: str | None = None


class Job(ShapeStruct, frozen=True, kw_only=True):
    """`Job` of the service model."""

    summary: JobSummary
    steps: tuple[Step, ...]


class GetJobResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GetJob."""

    job: Job


class GetWebhookRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of GetWebhook: `GET /webhooks/{webhookId}`."""

    webhook_id: str


class GetWebhookResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of GetWebhook."""

    webhook: Webhook


class ListAppsRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListApps: `GET /apps`."""

    next_token: str | None = None
    max_results: int | None = None


class ListAppsResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListApps."""

    apps: tuple[App, ...]
    next_token: str | None = None


class ListArtifactsRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListArtifacts: `GET /apps/{appId}/branches/{branchName}/jobs/{jobId}/artifacts`."""

    app_id: str
    branch_name: str
    job_id: str
    next_token: str | None = None
    max_results: int | None = None


class Artifact(ShapeStruct, frozen=True, kw_only=True):
    """`Artifact` of the service model."""

    artifact_file_name: str
    artifact_id: str


class ListArtifactsResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListArtifacts."""

    artifacts: tuple[Artifact, ...]
    next_token: str | None = None


class ListBackendEnvironmentsRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListBackendEnvironments: `GET /apps/{appId}/backendenvironments`."""

    app_id: str
    environment_name: str | None = None
    next_token: str | None = None
    max_results: int | None = None


class ListBackendEnvironmentsResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListBackendEnvironments."""

    backend_environments: tuple[BackendEnvironment, ...]
    next_token: str | None = None


class ListBranchesRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListBranches: `GET /apps/{appId}/branches`."""

    app_id: str
    next_token: str | None = None
    max_results: int | None = None


class ListBranchesResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListBranches."""

    branches: tuple[Branch, ...]
    next_token: str | None = None


class ListDomainAssociationsRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListDomainAssociations: `GET /apps/{appId}/domains`."""

    app_id: str
    next_token: str | None = None
    max_results: int | None = None


class ListDomainAssociationsResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListDomainAssociations."""

    domain_associations: tuple[DomainAssociation, ...]
    next_token: str | None = None


class ListJobsRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListJobs: `GET /apps/{appId}/branches/{branchName}/jobs`."""

    app_id: str
    branch_name: str
    next_token: str | None = None
    max_results: int | None = None


class ListJobsResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListJobs."""

    job_summaries: tuple[JobSummary, ...]
    next_token: str | None = None


class ListTagsForResourceRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListTagsForResource: `GET /tags/{resourceArn}`."""

    resource_arn: str


class ListTagsForResourceResponse(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListTagsForResource."""

    tags: Mapping[str, str] | None = None


class ListWebhooksRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of ListWebhooks: `GET /apps/{appId}/webhooks`."""

    app_id: str
    next_token: str | None = None
    max_results: int | None = None


class ListWebhooksResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of ListWebhooks."""

    webhooks: tuple[Webhook, ...]
    next_token: str | None = None


class StartDeploymentRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of StartDeployment: `POST /apps/{appId}/branches/{branchName}/deployments/start`."""

    app_id: str
    branch_name: str
    job_id: str | None = None
    source_url: str | None = None
    source_url_type: str | None = None


class StartDeploymentResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of StartDeployment."""

    job_summary: JobSummary


class StartJobRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of StartJob: `POST /apps/{appId}/branches/{branchName}/jobs`."""

    app_id: str
    branch_name: str
    job_type: str
    job_id: str | None = None
    job_reason: str | None = None
    commit_id: str | None = None
    commit_message: str | None = None
    commit_time: float | None = None


class StartJobResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of StartJob."""

    job_summary: JobSummary


class StopJobRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of StopJob: `DELETE /apps/{appId}/branches/{branchName}/jobs/{jobId}/stop`."""

    app_id: str
    branch_name: str
    job_id: str


class StopJobResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of StopJob."""

    job_summary: JobSummary


class TagResourceRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of TagResource: `POST /tags/{resourceArn}`."""

    resource_arn: str
    tags: Mapping[str, str]


class TagResourceResponse(ShapeStruct, frozen=True, kw_only=True):
    """Output of TagResource."""


class UntagResourceRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of UntagResource: `DELETE /tags/{resourceArn}`."""

    resource_arn: str
    tag_keys: tuple[str, ...]


class UntagResourceResponse(ShapeStruct, frozen=True, kw_only=True):
    """Output of UntagResource."""


class UpdateAppRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of UpdateApp: `POST /apps/{appId}`."""

    SENSITIVE: ClassVar[frozenset[str]] = frozenset(
        {"access_token", "basic_auth_credentials", "build_spec", "oauth_token"}
    )
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
    basic_auth_credentials: str | None = None
    custom_rules: tuple[CustomRule, ...] | None = None
    build_spec: str | None = None
    custom_headers: str | None = None
    enable_auto_branch_creation: bool | None = None
    auto_branch_creation_patterns: tuple[str, ...] | None = None
    auto_branch_creation_config: AutoBranchCreationConfig | None = None
    repository: str | None = None
    oauth_token: str | None = None
    access_token: str | None = None
    job_config: JobConfig | None = None
    cache_config: CacheConfig | None = None


class UpdateAppResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of UpdateApp."""

    app: App


class UpdateBranchRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of UpdateBranch: `POST /apps/{appId}/branches/{branchName}`."""

    SENSITIVE: ClassVar[frozenset[str]] = frozenset({"basic_auth_credentials", "build_spec"})
    app_id: str
    branch_name: str
    description: str | None = None
    framework: str | None = None
    stage: str | None = None
    enable_notification: bool | None = None
    enable_auto_build: bool | None = None
    enable_skew_protection: bool | None = None
    environment_variables: Mapping[str, str] | None = None
    basic_auth_credentials: str | None = None
    enable_basic_auth: bool | None = None
    enable_performance_mode: bool | None = None
    build_spec: str | None = None
    ttl: str | None = None
    display_name: str | None = None
    enable_pull_request_preview: bool | None = None
    pull_request_environment_name: str | None = None
    backend_environment_arn: str | None = None
    backend: Backend | None = None
    compute_role_arn: str | None = None


class UpdateBranchResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of UpdateBranch."""

    branch: Branch


class UpdateDomainAssociationRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of UpdateDomainAssociation: `POST /apps/{appId}/domains/{domainName}`."""

    app_id: str
    domain_name: str
    enable_auto_sub_domain: bool | None = None
    sub_domain_settings: tuple[SubDomainSetting, ...] | None = None
    auto_sub_domain_creation_patterns: tuple[str, ...] | None = None
    auto_sub_domain_iam_role: str | None = field(default=None, name="autoSubDomainIAMRole")
    certificate_settings: CertificateSettings | None = None


class UpdateDomainAssociationResult(ShapeStruct, frozen=True, kw_only=True):
    """Output of UpdateDomainAssociation."""

    domain_association: DomainAssociation


class UpdateWebhookRequest(ShapeStruct, frozen=True, kw_only=True):
    """Input of UpdateWebhook: `POST /webhooks/{webhookId}`."""

    webhook_id: str
    branch_name: str | None = None
    description: str | None = None


class UpdateWebhookResult(ShapeStruct, frozen=True, kw_only=True):
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
