"""CreateApp, GetApp, UpdateApp, DeleteApp, ListApps (behaviour reference, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_app
from preamp.api.limits import admit_app
from preamp.api.pages import page_of
from preamp.api.services import Services
from preamp.api.thumbnails import thumbnails
from preamp.api.variables import checked_variables, given
from preamp.model.apps import (
    App,
    AppConfig,
    AutoBranchCreationConfig,
    CacheConfigType,
    ComputeType,
    CustomRule,
    Platform,
)
from preamp.model.branches import Branch
from preamp.model.caller import Caller
from preamp.model.ids import app_arn, new_app_id
from preamp.model.times import now_ms, seconds
from preamp.store import apps, branches, changes, jobs

MAX_PAGE = 100


def create_app(
    services: Services, caller: Caller, request: shapes.CreateAppRequest
) -> shapes.CreateAppResult:
    services.refuse_when_full()
    now = now_ms()
    app = App(
        app_id=new_app_id(),
        scope=caller.scope,
        config=_changed(AppConfig(name=request.name), request),
        created_ms=now,
        updated_ms=now,
        tags=dict(request.tags or {}),
    )
    with services.database.write() as tx:
        admit_app(tx.conn, caller.scope, now=now)
        apps.insert_app(tx.conn, app)
        _keep_token(services, tx.conn, app.app_id, request)
    return shapes.CreateAppResult(app=_present(services, app, None))


def get_app(services: Services, caller: Caller, request: shapes.GetAppRequest) -> shapes.GetAppResult:
    with services.database.read() as conn:
        app = find_app(conn, caller, request.app_id)
        return shapes.GetAppResult(app=_presented(services, caller, conn, app))


def update_app(
    services: Services, caller: Caller, request: shapes.UpdateAppRequest
) -> shapes.UpdateAppResult:
    with services.database.write() as tx:
        app = find_app(tx.conn, caller, request.app_id)
        config = _changed(app.config, request)
        now = now_ms()
        apps.update_app(tx.conn, app.app_id, config, now=now)
        _keep_token(services, tx.conn, app.app_id, request)
        changes.record(tx, app.app_id, now=now)
        updated = replace(app, config=config, updated_ms=now)
        return shapes.UpdateAppResult(app=_presented(services, caller, tx.conn, updated))


def delete_app(
    services: Services, caller: Caller, request: shapes.DeleteAppRequest
) -> shapes.DeleteAppResult:
    """Everything of the app goes; jobs that run notice that they are not wanted any more and stop."""
    with services.database.write() as tx:
        app = find_app(tx.conn, caller, request.app_id)
        presented = _presented(services, caller, tx.conn, app)
        for branch_id in jobs.unfinished_of_app(tx.conn, app.app_id):
            services.engine.wake(tx, branch_id)
        apps.delete_app(tx.conn, app.app_id)
        changes.record(tx, app.app_id, now=now_ms())
    return shapes.DeleteAppResult(app=presented)


def list_apps(services: Services, caller: Caller, request: shapes.ListAppsRequest) -> shapes.ListAppsResult:
    page = page_of(
        services,
        caller,
        operation="ListApps",
        max_results=request.max_results,
        next_token=request.next_token,
        most=MAX_PAGE,
    )
    with services.database.read() as conn:
        rows = apps.page_apps(conn, caller.scope, after=page.after or 0, limit=page.limit + 1)
        found, token = page.cut(rows)
        production = _production(services, caller, conn, [app.app_id for app in found])
    return shapes.ListAppsResult(
        apps=tuple(_present(services, app, production.get(app.app_id)) for app in found),
        next_token=token,
    )


def _changed(config: AppConfig, request: shapes.CreateAppRequest | shapes.UpdateAppRequest) -> AppConfig:
    """`config` with the members that the request has; an absent member changes nothing."""
    variables = request.environment_variables
    rules = request.custom_rules
    patterns = request.auto_branch_creation_patterns
    auto = request.auto_branch_creation_config
    return replace(
        config,
        name=request.name or config.name,
        description=given(request.description, config.description),
        repository=given(request.repository, config.repository),
        platform=Platform(request.platform or config.platform),
        iam_service_role_arn=given(request.iam_service_role_arn, config.iam_service_role_arn),
        compute_role_arn=given(request.compute_role_arn, config.compute_role_arn),
        environment_variables=(
            config.environment_variables if variables is None else checked_variables(variables)
        ),
        enable_branch_auto_build=_flag(request.enable_branch_auto_build, config.enable_branch_auto_build),
        enable_branch_auto_deletion=_flag(
            request.enable_branch_auto_deletion, config.enable_branch_auto_deletion
        ),
        enable_basic_auth=_flag(request.enable_basic_auth, config.enable_basic_auth),
        basic_auth_credentials=given(request.basic_auth_credentials, config.basic_auth_credentials),
        custom_rules=(
            config.custom_rules
            if rules is None
            else tuple(
                CustomRule(
                    source=rule.source,
                    target=rule.target,
                    status=rule.status,
                    condition=rule.condition,
                )
                for rule in rules
            )
        ),
        build_spec=given(request.build_spec, config.build_spec),
        custom_headers=(config.custom_headers if request.custom_headers is None else request.custom_headers),
        enable_auto_branch_creation=_flag(
            request.enable_auto_branch_creation, config.enable_auto_branch_creation
        ),
        auto_branch_creation_patterns=(
            config.auto_branch_creation_patterns if patterns is None else tuple(patterns)
        ),
        auto_branch_creation_config=(
            config.auto_branch_creation_config if auto is None else _auto_config(auto)
        ),
        cache_config=(
            CacheConfigType(request.cache_config.type) if request.cache_config else config.cache_config
        ),
        compute_type=(
            ComputeType(request.job_config.build_compute_type) if request.job_config else config.compute_type
        ),
    )


def _auto_config(given_config: shapes.AutoBranchCreationConfig) -> AutoBranchCreationConfig:
    return AutoBranchCreationConfig(
        stage=given_config.stage,
        framework=given_config.framework,
        enable_auto_build=bool(given_config.enable_auto_build),
        environment_variables=checked_variables(given_config.environment_variables or {}),
        basic_auth_credentials=given_config.basic_auth_credentials,
        enable_basic_auth=bool(given_config.enable_basic_auth),
        enable_performance_mode=bool(given_config.enable_performance_mode),
        build_spec=given_config.build_spec,
        enable_pull_request_preview=bool(given_config.enable_pull_request_preview),
        pull_request_environment_name=given_config.pull_request_environment_name,
    )


def _flag(new: bool | None, old: bool) -> bool:
    return old if new is None else new


def _keep_token(
    services: Services,
    conn: Connection,
    app_id: str,
    request: shapes.CreateAppRequest | shapes.UpdateAppRequest,
) -> None:
    token = request.access_token or request.oauth_token
    if token:
        apps.set_access_token(conn, app_id, services.master.seal(token, owner=app_id))


def _presented(services: Services, caller: Caller, conn: Connection, app: App) -> shapes.App:
    return _present(services, app, _production(services, caller, conn, [app.app_id]).get(app.app_id))


def _production(
    services: Services, caller: Caller, conn: Connection, app_ids: list[str]
) -> Mapping[str, shapes.ProductionBranch]:
    """The first production branch of each app, as it is shown."""
    found: dict[str, Branch] = {}
    for branch in branches.branches_of_apps(conn, app_ids):
        if branch.config.stage == "PRODUCTION":
            found.setdefault(branch.app_id, branch)
    pictures = thumbnails(services, caller, conn, list(found.values()))
    shown = {}
    for app_id, branch in found.items():
        active = branch.active_job
        job = jobs.get_job(conn, branch.branch_id, active) if active is not None else None
        shown[app_id] = shapes.ProductionBranch(
            branch_name=branch.name,
            last_deploy_time=seconds(job.ended_ms) if job and job.ended_ms else None,
            status=job.status if job else None,
            thumbnail_url=pictures.get(branch.branch_id),
        )
    return shown


def _present(services: Services, app: App, production: shapes.ProductionBranch | None) -> shapes.App:
    config = app.config
    return shapes.App(
        app_id=app.app_id,
        app_arn=app_arn(account=app.scope.account, region=app.scope.region, app_id=app.app_id),
        name=config.name,
        tags=app.tags,
        description=config.description or "",
        repository=config.repository or "",
        platform=config.platform,
        create_time=seconds(app.created_ms),
        update_time=seconds(app.updated_ms),
        compute_role_arn=config.compute_role_arn,
        iam_service_role_arn=config.iam_service_role_arn,
        environment_variables=config.environment_variables,
        default_domain=f"{app.app_id}.{services.site_domain}",
        enable_branch_auto_build=config.enable_branch_auto_build,
        enable_branch_auto_deletion=config.enable_branch_auto_deletion,
        enable_basic_auth=config.enable_basic_auth,
        basic_auth_credentials=config.basic_auth_credentials,
        custom_rules=tuple(
            shapes.CustomRule(
                source=rule.source, target=rule.target, status=rule.status, condition=rule.condition
            )
            for rule in config.custom_rules
        ),
        production_branch=production,
        build_spec=config.build_spec,
        custom_headers=config.custom_headers or "",
        enable_auto_branch_creation=config.enable_auto_branch_creation,
        auto_branch_creation_patterns=config.auto_branch_creation_patterns or None,
        auto_branch_creation_config=_present_auto(config),
        repository_clone_method=_clone_method(config.repository),
        cache_config=shapes.CacheConfig(type=config.cache_config),
        job_config=shapes.JobConfig(build_compute_type=config.compute_type),
    )


def _present_auto(config: AppConfig) -> shapes.AutoBranchCreationConfig | None:
    auto = config.auto_branch_creation_config
    if auto is None:
        if not config.auto_branch_creation_patterns:
            return None
        auto = AutoBranchCreationConfig()  # behaviour reference, section 15
    return shapes.AutoBranchCreationConfig(
        stage=auto.stage or "NONE",
        framework=auto.framework,
        enable_auto_build=auto.enable_auto_build,
        environment_variables=auto.environment_variables,
        basic_auth_credentials=auto.basic_auth_credentials,
        enable_basic_auth=auto.enable_basic_auth,
        enable_performance_mode=auto.enable_performance_mode,
        build_spec=auto.build_spec,
        enable_pull_request_preview=auto.enable_pull_request_preview,
        pull_request_environment_name=auto.pull_request_environment_name,
    )


def _clone_method(repository: str | None) -> str | None:
    """How Preamp itself would fetch it: by key for ssh addresses, else with a token."""
    if repository is None:
        return None
    by_key = repository.startswith("ssh://") or ("@" in repository and "://" not in repository)
    return "SSH" if by_key else "TOKEN"
