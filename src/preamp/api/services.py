"""What operations work with, and the two things they need from rooms they may not import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from preamp.api.job_summaries import FinishedJobs
from preamp.engine.clock import SteadyClock
from preamp.engine.interface import Engine
from preamp.model.caller import Scope
from preamp.model.errors import DependentServiceFailure
from preamp.model.jobs import Attempt, StepName
from preamp.settings import Settings
from preamp.store.access_logs import Window
from preamp.store.database import Database
from preamp.store.folder import DataFolder
from preamp.store.sealing import MasterKey


class Links(Protocol):
    """Signed URLs below `base`, the endpoint that the client called. Done by `preamp.files.links`."""

    def log(self, base: str, attempt: Attempt, step: StepName) -> str:
        """GET: the log of a step, also while it grows."""

    def artifacts(self, base: str, branch_id: int, number: int) -> str:
        """GET: a zip of the job's output."""

    def test_artifacts(self, base: str, branch_id: int, number: int) -> str:
        """GET: a zip of what the job's test step left."""

    def test_artifact(self, base: str, branch_id: int, number: int, ordinal: int) -> str:
        """GET: a file that the job's test step left."""

    def access_log(self, base: str, app_id: str, domain: str, window: Window) -> str:
        """GET: the access log of a domain as CSV."""

    def upload(self, base: str, branch_id: int, number: int, ordinal: int) -> str:
        """PUT: a file of a manual deployment."""


class Tokens(Protocol):
    """`nextToken` of lists. Done by `preamp.aws.page_tokens`."""

    def encode(self, key: tuple[str | int, ...], *, operation: str, parent: str, scope: Scope) -> str:
        """A token that continues behind `key` and is good for this list only."""

    def decode(self, token: str, *, operation: str, parent: str, scope: Scope) -> tuple[str | int, ...]:
        """The key. Raises BadRequest for a damaged or foreign token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """One for the whole process."""

    database: Database
    engine: Engine
    settings: Settings
    folder: DataFolder
    master: MasterKey
    links: Links
    tokens: Tokens
    finished_jobs: FinishedJobs = field(default_factory=FinishedJobs)
    clock: SteadyClock = field(default_factory=SteadyClock)
    """For deciding that something is too old."""
    site_domain: str
    """What follows `{branch}.{appId}.`; with the port when it is not the usual one."""

    def refuse_when_full(self) -> None:
        """Raise DependentServiceFailure when the disk has no room for new work."""
        free, needed = self.folder.free_bytes(), self.settings.min_free_bytes
        if free < needed:
            raise DependentServiceFailure(
                f"The disk of Preamp's data folder is full: {free >> 20} MiB are free, new work needs "
                f"{needed >> 20} MiB (the setting min_free_bytes)."
            )
