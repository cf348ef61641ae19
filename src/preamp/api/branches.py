"""CreateBranch, GetBranch, UpdateBranch, DeleteBranch, ListBranches (behaviour reference, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from types import MappingProxyType

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_app, find_branch
from preamp.api.limits import refuse_over
from preamp.api.pages import page_of
from preamp.api.services import Services
from preamp.api.thumbnails import thumbnails
from preamp.api.variables import checked_variables, given
from preamp.engine.domains import attach_new_branch
from preamp.model.apps import App
from preamp.model.branches import Branch, BranchConfig
from preamp.model.caller import Caller
from preamp.model.errors import BadRequest
from preamp.model.ids import MAX_LABEL, branch_arn, branch_label, padded
from preamp.model.quotas import Quota
from preamp.model.times import now_ms, seconds
from preamp.store import branches, changes, domains, jobs


def create_branch(
    services: Services, caller: Caller, request: shapes.CreateBranchRequest
) -> shapes.CreateBranchResult:
    name = request.branch_name
    with services.database.write() as tx:
        app = find_app(tx.conn, caller, request.app_id)
        if branches.get_branch(tx.conn, app.app_id, name) is not None:
            raise BadRequest(
                f"Failed to create branch. The branch {name} already exists for the app {app.app_id}"[:255]
            )
        refuse_over(
            tx.conn,
            caller.scope,
            Quota.BRANCHES_PER_APP,
            have=lambda: branches.count_branches(tx.conn, app.app_id),
            message="Failed to create branch. You have reached the maximum number of branches in this app.",
        )
        config = _changed(BranchConfig(), request)
        now = now_ms()
        branch = branches.insert_branch(
            tx.conn,
            app_id=app.app_id,
            name=name,
            label=_free_label(tx.conn, app.app_id, config.display_name or name),
            config=config,
            tags=dict(request.tags or {}),
            now=now,
        )
        attach_new_branch(tx.conn, branch, account=app.scope.account, now=now)
        changes.record(tx, app.app_id, now=now)
        hosts = domains.hosts_of_branches(tx.conn, [branch.branch_id])
    return shapes.CreateBranchResult(branch=_present(app, branch, hosts))


def get_branch(
    services: Services, caller: Caller, request: shapes.GetBranchRequest
) -> shapes.GetBranchResult:
    with services.database.read() as conn:
        app, branch = find_branch(conn, caller, request.app_id, request.branch_name)
        hosts = domains.hosts_of_branches(conn, [branch.branch_id])
        pictures = thumbnails(services, caller, conn, [branch])
    return shapes.GetBranchResult(branch=_present(app, branch, hosts, pictures))


def update_branch(
    services: Services, caller: Caller, request: shapes.UpdateBranchRequest
) -> shapes.UpdateBranchResult:
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        config = _changed(branch.config, request)
        label = branch.label
        if config.display_name != branch.config.display_name:
            label = _free_label(
                tx.conn, app.app_id, config.display_name or branch.name, except_branch=branch.branch_id
            )
        now = now_ms()
        branches.update_branch(tx.conn, branch.branch_id, label=label, config=config, now=now)
        changes.record(tx, app.app_id, now=now)
        hosts = domains.hosts_of_branches(tx.conn, [branch.branch_id])
    updated = replace(branch, config=config, label=label, updated_ms=now)
    return shapes.UpdateBranchResult(branch=_present(app, updated, hosts))


def delete_branch(
    services: Services, caller: Caller, request: shapes.DeleteBranchRequest
) -> shapes.DeleteBranchResult:
    """Its jobs and releases go with it; a job that runs notices and stops."""
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        if jobs.unfinished(tx.conn, branch.branch_id):
            services.engine.wake(tx, branch.branch_id)
        hosts = domains.hosts_of_branches(tx.conn, [branch.branch_id])
        branches.delete_branch(tx.conn, branch.branch_id)
        changes.record(tx, app.app_id, now=now_ms())
    return shapes.DeleteBranchResult(branch=_present(app, branch, hosts))


def list_branches(
    services: Services, caller: Caller, request: shapes.ListBranchesRequest
) -> shapes.ListBranchesResult:
    page = page_of(
        services,
        caller,
        operation="ListBranches",
        parent=request.app_id,
        max_results=request.max_results,
        next_token=request.next_token,
    )
    with services.database.read() as conn:
        app = find_app(conn, caller, request.app_id)
        rows = branches.page_branches(conn, app.app_id, after=page.after or 0, limit=page.limit + 1)
        hosts = domains.hosts_of_branches(conn, [branch.branch_id for branch in rows])
        pictures = thumbnails(services, caller, conn, rows)
    found, token = page.cut([(branch.branch_id, branch) for branch in rows])
    return shapes.ListBranchesResult(
        branches=tuple(_present(app, branch, hosts, pictures) for branch in found), next_token=token
    )


def _changed(
    config: BranchConfig, request: shapes.CreateBranchRequest | shapes.UpdateBranchRequest
) -> BranchConfig:
    """`config` with the members that the request has; an absent member changes nothing."""
    variables = request.environment_variables
    backend = request.backend

    def flag(new: bool | None, old: bool) -> bool:
        return old if new is None else new

    return replace(
        config,
        description=given(request.description, config.description),
        stage=request.stage or config.stage,
        display_name=given(request.display_name, config.display_name),
        framework=given(request.framework, config.framework),
        enable_notification=flag(request.enable_notification, config.enable_notification),
        enable_auto_build=flag(request.enable_auto_build, config.enable_auto_build),
        enable_skew_protection=flag(request.enable_skew_protection, config.enable_skew_protection),
        environment_variables=(
            config.environment_variables if variables is None else checked_variables(variables)
        ),
        enable_basic_auth=(
            config.enable_basic_auth if request.enable_basic_auth is None else request.enable_basic_auth
        ),
        basic_auth_credentials=given(request.basic_auth_credentials, config.basic_auth_credentials),
        enable_performance_mode=flag(request.enable_performance_mode, config.enable_performance_mode),
        build_spec=given(request.build_spec, config.build_spec),
        ttl=request.ttl or config.ttl,
        enable_pull_request_preview=flag(
            request.enable_pull_request_preview, config.enable_pull_request_preview
        ),
        pull_request_environment_name=given(
            request.pull_request_environment_name, config.pull_request_environment_name
        ),
        backend_environment_arn=given(request.backend_environment_arn, config.backend_environment_arn),
        backend_stack_arn=given(backend.stack_arn if backend else None, config.backend_stack_arn),
        compute_role_arn=given(request.compute_role_arn, config.compute_role_arn),
    )


def _free_label(conn: Connection, app_id: str, name: str, *, except_branch: int | None = None) -> str:
    """The host label for a name; a number is added when another branch of the app has it already."""
    base = branch_label(name) or "branch"
    for number in count(1):
        suffix = "" if number == 1 else f"-{number}"
        label = base[: MAX_LABEL - len(suffix)].rstrip("-") + suffix
        if not branches.label_taken(conn, app_id, label, except_branch=except_branch):
            return label
    raise AssertionError("count() does not end")


def _present(
    app: App,
    branch: Branch,
    hosts: Mapping[int, tuple[str, ...]],
    pictures: Mapping[int, str] = MappingProxyType({}),
) -> shapes.Branch:
    """`hosts`: custom host names by branch id; `pictures`: thumbnails' URLs by branch id."""
    config = branch.config
    return shapes.Branch(
        branch_arn=branch_arn(
            account=app.scope.account, region=app.scope.region, app_id=app.app_id, branch=branch.name
        ),
        branch_name=branch.name,
        description=config.description or "",
        tags=branch.tags,
        stage=config.stage,
        display_name=_display_name(branch),
        enable_notification=config.enable_notification,
        create_time=seconds(branch.created_ms),
        update_time=seconds(branch.updated_ms),
        environment_variables=config.environment_variables,
        enable_auto_build=config.enable_auto_build,
        enable_skew_protection=config.enable_skew_protection,
        custom_domains=hosts.get(branch.branch_id, ()),
        framework=config.framework or "",
        active_job_id=padded(branch.active_job) if branch.active_job is not None else "",
        total_number_of_jobs=str(branch.job_count),
        enable_basic_auth=bool(config.enable_basic_auth),
        enable_performance_mode=config.enable_performance_mode,
        basic_auth_credentials=config.basic_auth_credentials,
        build_spec=config.build_spec,
        ttl=config.ttl,
        thumbnail_url=pictures.get(branch.branch_id),
        enable_pull_request_preview=config.enable_pull_request_preview,
        pull_request_environment_name=config.pull_request_environment_name,
        backend_environment_arn=config.backend_environment_arn,
        backend=shapes.Backend(stack_arn=config.backend_stack_arn) if config.backend_stack_arn else None,
        compute_role_arn=config.compute_role_arn,
    )


def _display_name(branch: Branch) -> str:
    """What was set, else the name, else (where the name is no host label, such as `feature/x`) the label:
    clients build the site's host from it ("used as the default domain prefix")."""
    if branch.config.display_name is not None:
        return branch.config.display_name
    return branch.name if branch.name.lower() == branch.label else branch.label
