"""Which function does which operation, with its types: what the wire layer is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from preamp.api import (
    access_logs,
    apps,
    artifacts,
    backend_environments,
    branches,
    deployments,
    domains,
    jobs,
    tags,
    webhooks,
)
from preamp.api.services import Services
from preamp.model.caller import Caller

_FUNCTIONS: Mapping[str, Callable[[Services, Caller, Any], Any]] = {
    "CreateApp": apps.create_app,
    "GetApp": apps.get_app,
    "UpdateApp": apps.update_app,
    "DeleteApp": apps.delete_app,
    "ListApps": apps.list_apps,
    "CreateBranch": branches.create_branch,
    "GetBranch": branches.get_branch,
    "UpdateBranch": branches.update_branch,
    "DeleteBranch": branches.delete_branch,
    "ListBranches": branches.list_branches,
    "StartJob": jobs.start_job,
    "GetJob": jobs.get_job,
    "ListJobs": jobs.list_jobs,
    "StopJob": jobs.stop_job,
    "DeleteJob": jobs.delete_job,
    "CreateDeployment": deployments.create_deployment,
    "StartDeployment": deployments.start_deployment,
    "CreateDomainAssociation": domains.create_domain_association,
    "GetDomainAssociation": domains.get_domain_association,
    "UpdateDomainAssociation": domains.update_domain_association,
    "DeleteDomainAssociation": domains.delete_domain_association,
    "ListDomainAssociations": domains.list_domain_associations,
    "GenerateAccessLogs": access_logs.generate_access_logs,
    "CreateBackendEnvironment": backend_environments.create_backend_environment,
    "GetBackendEnvironment": backend_environments.get_backend_environment,
    "DeleteBackendEnvironment": backend_environments.delete_backend_environment,
    "ListBackendEnvironments": backend_environments.list_backend_environments,
    "CreateWebhook": webhooks.create_webhook,
    "GetWebhook": webhooks.get_webhook,
    "UpdateWebhook": webhooks.update_webhook,
    "DeleteWebhook": webhooks.delete_webhook,
    "ListWebhooks": webhooks.list_webhooks,
    "ListArtifacts": artifacts.list_artifacts,
    "GetArtifactUrl": artifacts.get_artifact_url,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "ListTagsForResource": tags.list_tags_for_resource,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """An operation ready to be called."""

    function: Callable[[Caller, Any], Any]
    input_type: type
    output_type: type


def operations(services: Services) -> dict[str, Operation]:
    """All operations that this version has, by their name in the service model."""
    return {name: _bind(function, services) for name, function in _FUNCTIONS.items()}


def _bind(function: Callable[[Services, Caller, Any], Any], services: Services) -> Operation:
    hints = get_type_hints(function)
    return Operation(
        function=lambda caller, request: function(services, caller, request),
        input_type=hints["request"],
        output_type=hints["return"],
    )
