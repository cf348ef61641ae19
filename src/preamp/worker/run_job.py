"""Run one claimed job to its end: BUILD, TEST, DEPLOY, VERIFY, and the switch to the new release."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from preamp.build.errors import BuildError, BuildSkipped, FailedTests
from preamp.build.request import BuildEvent, Checked, LogSink
from preamp.build.run import run_build
from preamp.build.sandbox import Sandbox
from preamp.build.threads import in_thread
from preamp.build.workspace import open_workspace
from preamp.engine import finish
from preamp.engine.claim import Claim
from preamp.engine.dispatch import Interrupt, Run
from preamp.engine.settle import settle
from preamp.engine.stop import STOPPED
from preamp.model.jobs import Attempt, JobType, StepName
from preamp.model.releases import Release
from preamp.model.times import now_ms
from preamp.release.errors import ReleaseError
from preamp.settings import Settings
from preamp.store import jobs
from preamp.store.attempts import Outcome
from preamp.store.blobs import BlobStore
from preamp.store.database import Database, branch_lock
from preamp.store.folder import DataFolder
from preamp.store.logs import LogStore
from preamp.store.sealing import MasterKey
from preamp.worker.deploy import deploy
from preamp.worker.gather import Gatherer
from preamp.worker.keep_tests import keep_tests
from preamp.worker.pictures import Photographer
from preamp.worker.steps import AttemptLost, StepLog, Steps
from preamp.worker.target import Target, build_request, load_target
from preamp.worker.trial import ServerTrial
from preamp.worker.unpacked import CacheUnpacker

MAX_REASON = 4000
"""Characters of a status reason; the log has the rest."""
DEPLOY_PREFIX = "deploy-"
TOLD_WAIT_SECONDS = 1.0


@dataclass(slots=True)
class JobRunner:
    """Runs jobs of one worker; call it with a claim."""

    database: Database
    folder: DataFolder
    settings: Settings
    sandbox: Sandbox
    master: MasterKey
    blobs: BlobStore
    logs: LogStore
    pictures: Photographer | None = None
    """None: there are no pictures, and nothing is said about them."""
    unpacked: CacheUnpacker | None = None
    """None: caches are only kept packed."""
    trial: ServerTrial | None = None
    """None: servers of releases are first started when they are wanted."""
    _slots: list[int] = field(default_factory=list)
    _gather: Gatherer = field(init=False)

    def __post_init__(self) -> None:
        self._gather = Gatherer(database=self.database, blobs=self.blobs, settings=self.settings)
        self._slots = list(range(self.settings.worker_slots))

    async def __call__(self, claim: Claim, run: Run) -> None:
        """Returns when the attempt has ended in the database and none of its processes is left."""
        attempt = claim.attempt
        steps = Steps(self.database, self.logs, attempt)
        try:
            with self._slot() as slot:
                target = await asyncio.to_thread(load_target, self.database, self.master, claim)
                if claim.job.type is JobType.MANUAL:
                    release = await self._deploy_upload(target, claim, steps, slot)
                else:
                    release = await self._build(target, claim, steps, slot)
            if self.pictures is not None:
                steps.say(self.pictures.outlook)
            await steps.complete()
        except asyncio.CancelledError:
            await self._cut(attempt, run.interrupt, steps)
        except AttemptLost:
            return
        except BuildSkipped as skipped:
            reason = str(skipped)
            if not await settle(lambda: finish.skip(self.database, attempt, reason=reason, now=now_ms())):
                await self._cut(attempt, Interrupt.STOP, steps)
        except BuildError as error:
            await self._fail(attempt, steps, str(error), logged=error.logged)
        except ReleaseError as error:
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
            if done and self.pictures is not None:
                self.pictures.ask(attempt, release)
            if not done:  # a stop came while the last step ended, or the job is not ours any more
                await self._cut(attempt, Interrupt.STOP, steps)
        finally:
            steps.close()

    async def _build(self, target: Target, claim: Claim, steps: Steps, slot: int) -> Release:
        log = await steps.begin(StepName.BUILD)
        _tell_wait(log, claim)
        request = build_request(target, claim, folder=self.folder, settings=self.settings, slot=slot)
        events = _Events(lambda event: self._note_commit(claim.attempt, event))

        async def open_test_log(context: str) -> LogSink:
            return (await steps.begin(StepName.TEST, ended_context=context)).writer

        async with open_workspace(request) as workspace:
            try:
                result = await run_build(
                    request,
                    workspace=workspace,
                    sandbox=self.sandbox,
                    log=log.writer,
                    on_event=events,
                    open_test_log=open_test_log,
                )
            except FailedTests as failed:
                await self._keep(failed.checked, claim.attempt)
                raise
            finally:
                await events.settled()
            await self._keep(result.checked, claim.attempt)
            ended_context = None if result.tested else result.context
            log = await steps.begin(StepName.DEPLOY, ended_context=ended_context)
            release = await deploy(
                result.output,
                steps=steps,
                log=log,
                attempt=claim.attempt,
                site=target.site,
                platform=target.app.config.platform,
                blobs=self.blobs,
                settings=self.settings,
                custom_headers=result.custom_headers
                or target.app.config.custom_headers
                or result.spec_headers,
                app_root=result.app_root,
                check_server=self.trial.of(target, claim.attempt, slot) if self.trial else None,
            )
        if self.unpacked is not None and result.cache is not None:
            self.unpacked.ask(result.cache)
        return release

    async def _keep(self, checked: Checked | None, attempt: Attempt) -> None:
        if checked is not None:
            await in_thread(keep_tests, checked, attempt=attempt, blobs=self.blobs, database=self.database)

    async def _deploy_upload(self, target: Target, claim: Claim, steps: Steps, slot: int) -> Release:
        attempt = claim.attempt
        log = await steps.begin(StepName.DEPLOY)
        _tell_wait(log, claim)
        workspace = self.folder.workspaces / (
            f"{DEPLOY_PREFIX}{attempt.branch_id}-{attempt.number}-{attempt.attempt}"
        )
        output = workspace / "output"
        try:
            output.mkdir(parents=True)
            await self._gather(claim.job, output, scratch=workspace, log=log)
            return await deploy(
                output,
                steps=steps,
                log=log,
                attempt=attempt,
                site=target.site,
                platform=target.app.config.platform,
                blobs=self.blobs,
                settings=self.settings,
                custom_headers=_custom_http(output) or target.app.config.custom_headers,
                app_root=None,
                check_server=self.trial.of(target, attempt, slot) if self.trial else None,
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, workspace, ignore_errors=True)

    async def _cut(self, attempt: Attempt, why: Interrupt | None, steps: Steps) -> None:
        match why:
            case Interrupt.STOP:
                steps.fail(STOPPED)
                await steps.complete()
                await settle(lambda: finish.cancel(self.database, attempt, reason=STOPPED, now=now_ms()))
            case Interrupt.DRAIN:
                await settle(
                    lambda: finish.hand_back(self.database, attempt, Outcome.HANDED_BACK, now=now_ms())
                )
            case Interrupt.LOST:
                return
            case None:
                raise asyncio.CancelledError

    async def _fail(self, attempt: Attempt, steps: Steps, reason: str, *, logged: bool = False) -> None:
        if not logged:
            steps.fail(reason)
        await steps.complete()
        short = reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 1] + "…"
        if not await settle(lambda: finish.fail(self.database, attempt, reason=short, now=now_ms())):
            return

    def _note_commit(self, attempt: Attempt, event: BuildEvent) -> None:
        if event.commit is None:
            return
        with self.database.write(branch_lock(attempt.branch_id)) as tx:
            jobs.set_commit(tx.conn, attempt, event.commit)

    @contextmanager
    def _slot(self) -> Iterator[int]:
        slot = self._slots.pop(0)
        try:
            yield slot
        finally:
            self._slots.append(slot)


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


def _tell_wait(log: StepLog, claim: Claim) -> None:
    """Of a first attempt: how long the job has waited, and for what."""
    waited_s = (now_ms() - (claim.job.started_ms or claim.job.created_ms)) / 1000
    if claim.attempt.attempt == 1 and waited_s >= TOLD_WAIT_SECONDS:
        log.info(f"This job waited {waited_s:.0f} s for {claim.waited_for or 'a worker'}.")


def _custom_http(output: Path) -> str | None:
    """customHttp.yml in the root of the bundle (behaviour reference, section 7.6)."""
    for name in ("customHttp.yml", "customHttp.yaml"):
        file = output / name
        if file.is_file():
            return file.read_text("utf-8", "replace")
    return None
