"""A job: its facts, its states and which transition is allowed from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct


class JobType(StrEnum):
    RELEASE = "RELEASE"  # build the head of the branch, or a given commit
    RETRY = "RETRY"  # build the commit of an earlier job again
    MANUAL = "MANUAL"  # publish an uploaded bundle; made by CreateDeployment and StartDeployment only
    WEB_HOOK = "WEB_HOOK"  # started by a push or an incoming webhook


class JobState(StrEnum):
    """What is stored. What a client sees is `JobStatus`."""

    CREATED = "CREATED"  # CreateDeployment was called, the upload is awaited
    PENDING = "PENDING"  # accepted, waits for its turn on the branch and for a slot
    RUNNING = "RUNNING"  # a worker holds the newest attempt
    SUCCEED = "SUCCEED"  # terminal: the release was published
    FAILED = "FAILED"  # terminal: the previous release stays live
    CANCELLED = "CANCELLED"  # terminal: stopped, and all its processes are dead


class JobStatus(StrEnum):
    """`JobStatus` of the service model: what a client sees."""

    CREATED = "CREATED"  # between CreateDeployment and StartDeployment
    PENDING = "PENDING"  # queued
    PROVISIONING = "PROVISIONING"  # waits for a machine to start
    RUNNING = "RUNNING"  # being built or deployed
    FAILED = "FAILED"  # terminal
    SUCCEED = "SUCCEED"  # terminal
    CANCELLING = "CANCELLING"  # stop was asked for, processes are being killed
    CANCELLED = "CANCELLED"  # terminal


class StepName(StrEnum):
    BUILD = "BUILD"  # clone and run the build spec
    TEST = "TEST"  # the test phases of the build spec
    DEPLOY = "DEPLOY"  # publish the release and switch to it
    VERIFY = "VERIFY"  # look at what is served


class StepStatus(StrEnum):
    """The statuses of a step, spelled as job statuses are."""

    PENDING = "PENDING"  # not begun
    RUNNING = "RUNNING"  # under way
    SUCCEED = "SUCCEED"  # done
    FAILED = "FAILED"  # ended the job
    CANCELLED = "CANCELLED"  # the job was stopped during or before it


class SourceUrlType(StrEnum):
    ZIP = "ZIP"  # one archive of the output folder's contents
    BUCKET_PREFIX = "BUCKET_PREFIX"  # every object under a prefix of an S3 bucket


TERMINAL = frozenset({JobState.SUCCEED, JobState.FAILED, JobState.CANCELLED})
UNFINISHED = frozenset({JobState.CREATED, JobState.PENDING, JobState.RUNNING})

TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.CREATED: frozenset({JobState.PENDING, JobState.FAILED, JobState.CANCELLED}),
    JobState.PENDING: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    # RUNNING -> PENDING: the attempt's worker died or handed the job back while draining
    JobState.RUNNING: frozenset({JobState.PENDING, JobState.SUCCEED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


_SHOWN: Mapping[JobState, JobStatus] = {state: JobStatus(state.value) for state in JobState}


def sources_of(target: JobState) -> frozenset[JobState]:
    """The states from which `target` may be entered; the guard of every state update."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)


SKIP_MARK = "[skip-cd]"


def has_skip_mark(message: str | None) -> bool:
    """Whether a push of this commit is not to be built (behaviour reference, section 6)."""
    return (message or "").rstrip().lower().endswith(SKIP_MARK)


# Structs, not dataclasses: a list of jobs makes fifty of each, five times as fast.
class Commit(Struct, frozen=True, kw_only=True):
    """What is or was built. `commit_id` is `HEAD` until the build has resolved it."""

    commit_id: str
    message: str | None = None
    time_ms: int | None = None


class Job(Struct, frozen=True, kw_only=True):
    """A stored job."""

    branch_id: int
    number: int
    type: JobType
    state: JobState
    stop_requested_ms: int | None
    """Set once by StopJob; while the job still runs the client sees CANCELLING."""
    reason: str | None
    commit: Commit | None
    source_url: str | None
    source_url_type: SourceUrlType | None
    created_ms: int
    started_ms: int | None
    """When the client asked for it to run: StartJob or StartDeployment."""
    ended_ms: int | None
    attempt: int
    """The newest attempt's number, 0 before the first claim; only that attempt may write."""
    status_reason: str | None

    @property
    def status(self) -> JobStatus:
        if self.state is JobState.RUNNING and self.stop_requested_ms is not None:
            return JobStatus.CANCELLING
        return _SHOWN[self.state]


def new_job(
    *,
    branch_id: int,
    number: int,
    type: JobType,  # noqa: A002 (the wire's own word)
    now: int,
    state: JobState = JobState.PENDING,
    reason: str | None = None,
    commit: Commit | None = None,
    source_url: str | None = None,
    source_url_type: SourceUrlType | None = None,
    ended_ms: int | None = None,
) -> Job:
    """A job that no worker has had yet. A deployment that is only CREATED was not asked to run."""
    return Job(
        branch_id=branch_id,
        number=number,
        type=type,
        state=state,
        stop_requested_ms=None,
        reason=reason,
        commit=commit,
        source_url=source_url,
        source_url_type=source_url_type,
        created_ms=now,
        started_ms=None if state is JobState.CREATED else now,
        ended_ms=ended_ms,
        attempt=0,
        status_reason=None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a job, of its newest attempt."""

    name: StepName
    status: StepStatus
    started_ms: int
    ended_ms: int | None
    status_reason: str | None
    context: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A claim of a job by a worker; the token that every write of the run carries."""

    branch_id: int
    number: int
    attempt: int
