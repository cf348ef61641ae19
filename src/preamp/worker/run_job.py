"""Run one claimed job to its end: BUILD, DEPLOY, VERIFY, and the switch to the new release."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from preamp.build.errors import BuildError
from preamp.build.request import BuildEvent, BuildRequest, Credentials, Folders, JobIdentity
from preamp.build.run import run_build
from preamp.build.sandbox import Sandbox
from preamp.build.workspace import open_workspace
from preamp.engine import finish
from preamp.engine.claim import Claim
from preamp.engine.dispatch import Interrupt, Run
from preamp.engine.settle import settle
from preamp.engine.stop import STOPPED
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.ids import branch_arn, padded
from preamp.model.jobs import Attempt, JobType, StepName
from preamp.model.releases import Release
from preamp.model.times import now_ms
from preamp.release.errors import ReleaseError
from preamp.release.publish import Limits
from preamp.settings import Settings
from preamp.store import apps, branches, jobs, uploads
from preamp.store.attempts import Outcome
from preamp.store.blobs import LocalBlobs
from preamp.store.database import Database
from preamp.store.folder import DataFolder
from preamp.store.logs import LogFolder
from preamp.store.sealing import MasterKey
from preamp.worker.collect import collect
from preamp.worker.deploy import deploy
from preamp.worker.steps import AttemptLost, Steps

MAX_REASON = 4000
"""Characters of a status reason; the log has the rest."""
DEPLOY_PREFIX = "deploy-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a job is for."""

    app: App
    branch: Branch
    access_token: str | None = field(repr=False)


@dataclass(slots=True)
class JobRunner:
    """Runs jobs of one worker; call it with a claim."""

    database: Database
    folder: DataFolder
    settings: Settings
    sandbox: Sandbox
    master: MasterKey
    blobs: LocalBlobs
    logs: LogFolder
    _slots: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._slots = list(range(self.settings.worker_slots))

    async def __call__(self, claim: Claim, run: Run) -> None:
        """Returns when the attempt has ended in the database and none of its processes is left."""
        attempt = claim.attempt
        steps = Steps(self.database, self.logs, attempt)
        try:
            with self._slot() as slot:
                target = await asyncio.to_thread(self._target, claim)
                if claim.job.type is JobType.MANUAL:
                    release = await self._deploy_upload(target, claim, steps)
                else:
                    release = await self._build(target, claim, steps, slot)
        except asyncio.CancelledError:
            await self._cut(attempt, run.interrupt, steps)
        except AttemptLost:
            return
        except (BuildError, ReleaseError) as error:
            await self._fail(attempt, steps, str(error))
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            await self._fail(attempt, steps, f"No space left on the disk of the worker: {error}")
        else:
            app_id = target.app.app_id
            done = await settle(
                lambda: finish.succeed(self.database, attempt, app_id=app_id, release=release, now=now_ms())
            )
            if not done:  # a stop came while the last step ended, or the job is not ours any more
                await self._cut(attempt, Interrupt.STOP, steps)
        finally:
            steps.close()

    async def _build(self, target: Target, claim: Claim, steps: Steps, slot: int) -> Release:
        log = await steps.begin(StepName.BUILD)
        request = self._request(target, claim, slot)
        events = _Events(lambda event: self._note_commit(claim.attempt, event))
        async with open_workspace(request) as workspace:
            result = await run_build(
                request,
                workspace=workspace,
                sandbox=self.sandbox,
                log=log.writer,
                on_event=events,
            )
            await events.settled()
            log = await steps.begin(StepName.DEPLOY, ended_context=result.context)
            return await deploy(
                result.output,
                steps=steps,
                log=log,
                attempt=claim.attempt,
                site=_site(target),
                blobs=self.blobs,
                settings=self.settings,
                custom_headers=result.custom_headers or target.app.config.custom_headers,
                app_root=None,
            )

    async def _deploy_upload(self, target: Target, claim: Claim, steps: Steps) -> Release:
        attempt = claim.attempt
        log = await steps.begin(StepName.DEPLOY)
        workspace = self.folder.workspaces / (
            f"{DEPLOY_PREFIX}{attempt.branch_id}-{attempt.number}-{attempt.attempt}"
        )
        output = workspace / "output"
        try:
            output.mkdir(parents=True)
            limits = Limits(
                max_bytes=self.settings.max_release_bytes, max_files=self.settings.max_release_files
            )
            found = await asyncio.to_thread(self._uploads, attempt)
            warnings = await asyncio.to_thread(collect, found, output, blobs=self.blobs, limits=limits)
            for warning in warnings:
                log.warning(warning)
            return await deploy(
                output,
                steps=steps,
                log=log,
                attempt=attempt,
                site=_site(target),
                blobs=self.blobs,
                settings=self.settings,
                custom_headers=_custom_http(output) or target.app.config.custom_headers,
                app_root=None,
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, workspace, ignore_errors=True)

    async def _cut(self, attempt: Attempt, why: Interrupt | None, steps: Steps) -> None:
        match why:
            case Interrupt.STOP:
                steps.fail(STOPPED)
                await settle(lambda: finish.cancel(self.database, attempt, reason=STOPPED, now=now_ms()))
            case Interrupt.DRAIN:
                await settle(
                    lambda: finish.hand_back(self.database, attempt, Outcome.HANDED_BACK, now=now_ms())
                )
            case Interrupt.LOST:
                return
            case None:
                raise asyncio.CancelledError

    async def _fail(self, attempt: Attempt, steps: Steps, reason: str) -> None:
        steps.fail(reason)
        short = reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 1] + "…"
        if not await settle(lambda: finish.fail(self.database, attempt, reason=short, now=now_ms())):
            return

    def _target(self, claim: Claim) -> Target:
        job = claim.job
        with self.database.read() as conn:
            branch = branches.get_branch_by_id(conn, job.branch_id)
            scope = jobs.scope_of(conn, job.branch_id, job.number)
            app = apps.get_app(conn, scope, branch.app_id) if branch and scope else None
            sealed = apps.get_access_token(conn, app.app_id) if app else None
        if branch is None or app is None:
            raise AttemptLost
        token = self.master.open(sealed, owner=app.app_id) if sealed else None
        return Target(app=app, branch=branch, access_token=token)

    def _uploads(self, attempt: Attempt) -> list[uploads.Upload]:
        with self.database.read() as conn:
            return uploads.list_uploads(conn, attempt.branch_id, attempt.number)

    def _request(self, target: Target, claim: Claim, slot: int) -> BuildRequest:
        app, branch, job = target.app, target.branch, claim.job
        if app.config.repository is None:
            raise BuildError("The app has no repository: set one with UpdateApp, or deploy manually.")
        commit = job.commit.commit_id if job.commit else None
        return BuildRequest(
            job=JobIdentity(
                app_id=app.app_id,
                branch=branch.name,
                branch_arn=branch_arn(
                    account=app.scope.account,
                    region=app.scope.region,
                    app_id=app.app_id,
                    branch=branch.name,
                ),
                job_id=padded(job.number),
                attempt=claim.attempt.attempt,
            ),
            repository=app.config.repository,
            folders=build_folders(self.folder),
            commit_id=None if commit in {None, "HEAD"} else commit,
            credentials=Credentials(token=target.access_token),
            branch_spec=branch.config.build_spec,
            app_spec=app.config.build_spec,
            app_variables=app.config.environment_variables,
            branch_variables=branch.config.environment_variables,
            compute_type=app.config.compute_type,
            timeout_s=self.settings.build_timeout_minutes * 60.0,
            slot=slot,
        )

    def _note_commit(self, attempt: Attempt, event: BuildEvent) -> None:
        if event.commit is None:
            return
        with self.database.write() as tx:
            jobs.set_commit(tx.conn, attempt, event.commit)

    @contextmanager
    def _slot(self) -> Iterator[int]:
        slot = self._slots.pop(0)
        try:
            yield slot
        finally:
            self._slots.append(slot)


def build_folders(folder: DataFolder) -> Folders:
    return Folders(mirrors=folder.mirrors, caches=folder.cache, toolchains=folder.toolchains)


class _Events:
    """Takes the build's events on the loop and writes what must be kept in a thread."""

    def __init__(self, keep: Callable[[BuildEvent], None]) -> None:
        self._keep = keep
        self._writes: list[asyncio.Task[None]] = []

    def __call__(self, event: BuildEvent) -> None:
        if event.commit is not None:
            self._writes.append(asyncio.create_task(asyncio.to_thread(self._keep, event)))

    async def settled(self) -> None:
        """Wait for the writes and raise what went wrong in them."""
        await asyncio.gather(*self._writes)


def _site(target: Target) -> str:
    return f"application {target.app.app_id}, branch:{target.branch.name}"


def _custom_http(output: Path) -> str | None:
    """customHttp.yml in the root of the bundle (behaviour reference, section 7.6)."""
    for name in ("customHttp.yml", "customHttp.yaml"):
        file = output / name
        if file.is_file():
            return file.read_text("utf-8", "replace")
    return None
