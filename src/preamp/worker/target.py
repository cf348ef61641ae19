"""What a job is for, and the build that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from preamp.build.errors import BuildError
from preamp.build.request import BuildRequest, Credentials, Folders, JobIdentity
from preamp.engine.claim import Claim
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.ids import branch_arn, padded
from preamp.model.jobs import JobType
from preamp.model.secrets import Secret
from preamp.settings import Settings
from preamp.store import apps, branches, jobs, secrets
from preamp.store.database import Database
from preamp.store.folder import DataFolder
from preamp.store.sealing import MasterKey, SealError
from preamp.worker.steps import AttemptLost

PRODUCTION = "PRODUCTION"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Read once, when the job begins."""

    app: App
    branch: Branch
    credentials: Credentials
    secrets: Mapping[str, Secret] = field(repr=False)
    production_branch: str | None
    """Of the app; None also when this is it."""
    built_commit: str | None
    """What the branch serves, when a job built it."""

    @property
    def site(self) -> str:
        return f"application {self.app.app_id}, branch:{self.branch.name}"


def load_target(database: Database, master: MasterKey, claim: Claim) -> Target:
    """Raises AttemptLost when app or branch are gone, BuildError when a stored secret does not open."""
    job = claim.job
    with database.read() as conn:
        branch = branches.get_branch_by_id(conn, job.branch_id)
        scope = jobs.scope_of(conn, job.branch_id, job.number)
        app = apps.get_app(conn, scope, branch.app_id) if branch and scope else None
        if branch is None or app is None:
            raise AttemptLost
        token = apps.get_access_token(conn, app.app_id)
        key = apps.get_ssh_key(conn, app.app_id)
        served = jobs.get_job(conn, branch.branch_id, branch.active_job) if branch.active_job else None
        every = branches.page_branches(conn, app.app_id, after=0, limit=1000)
        try:
            found = secrets.secrets_of_branch(conn, master, app.app_id, branch.name)
        except SealError as error:
            raise BuildError(_unopened(error)) from error
    try:
        credentials = Credentials(
            token=master.open(token, owner=app.app_id) if token else None,
            ssh_key=master.open(key, owner=apps.ssh_key_owner(app.app_id)) if key else None,
        )
    except SealError as error:
        raise BuildError(_unopened(error)) from error
    production = next((item.name for item in every if item.config.stage == PRODUCTION), None)
    return Target(
        app=app,
        branch=branch,
        credentials=credentials,
        secrets=found,
        production_branch=production if production != branch.name else None,
        built_commit=served.commit.commit_id if served and served.commit and not served.source_url else None,
    )


def _unopened(error: SealError) -> str:
    return f"{error}. Restore the master.key that belongs to this database, or set the secret again."


def build_request(
    target: Target, claim: Claim, *, folder: DataFolder, settings: Settings, slot: int
) -> BuildRequest:
    """Raises BuildError when the app has no repository."""
    app, branch, job = target.app, target.branch, claim.job
    if app.config.repository is None:
        raise BuildError("The app has no repository: set one with UpdateApp, or deploy manually.")
    commit = job.commit.commit_id if job.commit else None
    identity = JobIdentity(
        app_id=app.app_id,
        branch=branch.name,
        branch_arn=branch_arn(
            account=app.scope.account, region=app.scope.region, app_id=app.app_id, branch=branch.name
        ),
        job_id=padded(job.number),
        attempt=claim.attempt.attempt,
    )
    return BuildRequest(
        job=identity,
        repository=app.config.repository,
        folders=build_folders(folder),
        commit_id=None if commit in {None, "HEAD"} else commit,
        credentials=target.credentials,
        branch_spec=branch.config.build_spec,
        app_spec=app.config.build_spec,
        app_variables=app.config.environment_variables,
        branch_variables=branch.config.environment_variables,
        secrets={name: secret.value for name, secret in target.secrets.items()},
        secret_variables=frozenset(name for name, secret in target.secrets.items() if secret.as_variable),
        platform=app.config.platform,
        compute_type=app.config.compute_type,
        memory_bytes=settings.build_memory_bytes,
        disk_bytes=settings.build_disk_bytes,
        timeout_s=settings.build_timeout_minutes * 60.0,
        slot=slot,
        fallback_branch=target.production_branch,
        obey_skip_mark=job.type is JobType.WEB_HOOK,
        # Whoever runs a job again wants it to run.
        built_commit=None if job.type is JobType.RETRY else target.built_commit,
    )


def build_folders(folder: DataFolder) -> Folders:
    return Folders(
        mirrors=folder.mirrors, caches=folder.cache, toolchains=folder.toolchains, images=folder.images
    )
