"""Signed URLs of logs, artifacts and uploads. They name rows by number, never by a user's text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from preamp.aws.presign import FileClaim, UrlSigner
from preamp.model.jobs import Attempt, StepName
from preamp.store.access_logs import Window

PURPOSE = "signed file URLs"
"""What the signing key is derived for."""


class Kind(StrEnum):
    LOG = "logs"  # GET: the log of a step
    ARTIFACTS = "artifacts"  # GET: a zip of the build output
    TEST_ARTIFACT = "test-artifacts"  # GET: a file that a job's test step left, or a picture of its page
    TEST_ARTIFACTS = "test-artifacts-zip"  # GET: a zip of what a job's test step left
    ACCESS_LOG = "access-logs"  # GET: the access log of a domain as CSV
    UPLOAD = "uploads"  # PUT: a file of a manual deployment


READ_SECONDS = 3600
UPLOAD_SECONDS = 8 * 3600
"""As long as a deployment may wait to be started (behaviour reference, section 3.4)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactTarget:
    """Which test artifact of which job."""

    branch_id: int
    number: int
    ordinal: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadTarget:
    """Which file of which deployment."""

    branch_id: int
    number: int
    ordinal: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessLogTarget:
    """Whose requests of which time."""

    app_id: str
    domain: str
    window: Window


class FileLinks:
    """Makes URLs below `base`, the endpoint that the client called, and reads them back."""

    def __init__(self, signer: UrlSigner) -> None:
        self._signer = signer

    def log(self, base: str, attempt: Attempt, step: StepName) -> str:
        path = f"{attempt.branch_id}/{attempt.number}/{attempt.attempt}/{step}/log.txt"
        return self._get(base, Kind.LOG, path)

    def artifacts(self, base: str, branch_id: int, number: int) -> str:
        return self._get(base, Kind.ARTIFACTS, f"{branch_id}/{number}/artifacts.zip")

    def test_artifacts(self, base: str, branch_id: int, number: int) -> str:
        return self._get(base, Kind.TEST_ARTIFACTS, f"{branch_id}/{number}/test-artifacts.zip")

    def test_artifact(self, base: str, branch_id: int, number: int, ordinal: int) -> str:
        return self._get(base, Kind.TEST_ARTIFACT, f"{branch_id}/{number}/{ordinal}")

    def access_log(self, base: str, app_id: str, domain: str, window: Window) -> str:
        path = f"{app_id}/{window.first_s}/{window.last_s}/{domain}/access.csv"
        return self._get(base, Kind.ACCESS_LOG, path)

    def upload(self, base: str, branch_id: int, number: int, ordinal: int) -> str:
        return self._signer.sign(
            "PUT",
            base=base,
            kind=Kind.UPLOAD,
            path=f"{branch_id}/{number}/{ordinal}",
            lifetime_s=UPLOAD_SECONDS,
        )

    def _get(self, base: str, kind: Kind, path: str) -> str:
        return self._signer.sign("GET", base=base, kind=kind, path=path, lifetime_s=READ_SECONDS)


def read_log(claim: FileClaim) -> tuple[Attempt, StepName]:
    """What `FileLinks.log` put into a URL. The claim is verified, so its form is ours."""
    branch_id, number, attempt, step, _ = claim.path.split("/")
    return (
        Attempt(branch_id=int(branch_id), number=int(number), attempt=int(attempt)),
        StepName(step),
    )


def read_artifacts(claim: FileClaim) -> tuple[int, int]:
    """(branch id, job number)."""
    branch_id, number, _ = claim.path.split("/")
    return int(branch_id), int(number)


def read_test_artifact(claim: FileClaim) -> ArtifactTarget:
    branch_id, number, ordinal = claim.path.split("/")
    return ArtifactTarget(branch_id=int(branch_id), number=int(number), ordinal=int(ordinal))


def read_access_log(claim: FileClaim) -> AccessLogTarget:
    app_id, first, last, domain, _ = claim.path.split("/")
    return AccessLogTarget(app_id=app_id, domain=domain, window=Window(first_s=int(first), last_s=int(last)))


def read_upload(claim: FileClaim) -> UploadTarget:
    branch_id, number, ordinal = claim.path.split("/")
    return UploadTarget(branch_id=int(branch_id), number=int(number), ordinal=int(ordinal))
