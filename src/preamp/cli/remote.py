"""The API as the commands use it: botocore's `amplify` client, answers as values, errors as sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import IO, Any
from urllib.parse import urlsplit

import click

from preamp.cli.connection import Endpoint
from preamp.cli.errors import CommandError, Failure, Unreachable
from preamp.model.jobs import TERMINAL, JobStatus

_APP_ID = re.compile(r"d[a-z0-9]{1,19}")
_LOOPBACK = re.compile(r"localhost|.*\.localhost|127\..*|::1")
_REFUSED = frozenset(
    {"LimitExceededException", "DependentServiceFailureException", "InternalFailureException"}
)
"""The request may be right and work later: exit status 1; every other refusal is wrong use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AppView:
    """An app as the API shows it."""

    app_id: str
    name: str
    default_domain: str
    repository: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchView:
    """A branch as the API shows it."""

    name: str
    display_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepView:
    """A step of a job."""

    name: str
    status: JobStatus
    status_reason: str | None
    log_url: str | None
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobView:
    """A job; `steps` is empty in lists."""

    job_id: str
    type: str
    status: JobStatus
    commit_id: str | None
    commit_message: str | None
    started: datetime | None
    ended: datetime | None
    steps: tuple[StepView, ...] = field(default=())

    @property
    def finished(self) -> bool:
        return self.status.value in TERMINAL

    @property
    def succeeded(self) -> bool:
        return self.status is JobStatus.SUCCEED

    @property
    def reason(self) -> str | None:
        """Why it did not succeed, as far as a step says."""
        return next((step.status_reason for step in self.steps if step.status is JobStatus.FAILED), None)


class Remote:
    """A server."""

    def __init__(self, endpoint: Endpoint) -> None:
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self.endpoint = endpoint
        loopback = is_loopback(endpoint.control_url)
        try:
            self._client = botocore.session.get_session().create_client(
                "amplify",
                endpoint_url=endpoint.control_url,
                region_name=endpoint.region,
                aws_access_key_id=endpoint.access_key_id,
                aws_secret_access_key=endpoint.secret,
                config=Config(
                    connect_timeout=5,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                    # A proxy of the environment cannot reach this machine's own loopback.
                    proxies={} if loopback else None,
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise CommandError(f"{endpoint.origin}: {error}") from error

    def app(self, reference: str) -> AppView:
        """An app by id or by name. Raises CommandError when there is none, or several of that name."""
        found = self.find_app(reference)
        if found is None:
            names = ", ".join(sorted(app.name for app in islice(self.apps(), 20))) or "none"
            raise CommandError(f"there is no app {reference!r} on {self.endpoint.control_url}; apps: {names}")
        return found

    def find_app(self, reference: str) -> AppView | None:
        """An app by id or by name; None when there is none."""
        if _APP_ID.fullmatch(reference):
            answer = self._call("get_app", missing=None, appId=reference)
            if answer is not None:
                return _app(answer["app"])
        named = [app for app in self.apps() if app.name == reference]
        if len(named) > 1:
            ids = ", ".join(app.app_id for app in named)
            raise CommandError(f"several apps are named {reference!r}; name one by its id: {ids}")
        return named[0] if named else None

    def apps(self) -> Iterator[AppView]:
        for item in self._pages("list_apps", "apps"):
            yield _app(item)

    def create_app(self, *, name: str, repository: str | None, platform: str | None = None) -> AppView:
        more = {"repository": repository} if repository else {}
        more |= {"platform": platform} if platform else {}
        return _app(self._call("create_app", name=name, **more)["app"])

    def find_branch(self, app_id: str, name: str) -> BranchView | None:
        answer = self._call("get_branch", missing=None, appId=app_id, branchName=name)
        return _branch(answer["branch"]) if answer is not None else None

    def create_branch(self, app_id: str, name: str) -> BranchView:
        return _branch(self._call("create_branch", appId=app_id, branchName=name)["branch"])

    def jobs(self, app_id: str, branch: str, *, limit: int) -> list[JobView]:
        """Newest first."""
        pages = self._pages("list_jobs", "jobSummaries", appId=app_id, branchName=branch)
        return [_job(item, ()) for item in islice(pages, limit)]

    def job(self, app_id: str, branch: str, job_id: str) -> JobView:
        job = self._call("get_job", appId=app_id, branchName=branch, jobId=job_id)["job"]
        return _job(job["summary"], job.get("steps", ()))

    def start_job(self, app_id: str, branch: str) -> str:
        """Build the head of the branch; the job's id."""
        answer = self._call("start_job", appId=app_id, branchName=branch, jobType="RELEASE")
        return str(answer["jobSummary"]["jobId"])

    def create_deployment(self, app_id: str, branch: str) -> tuple[str, str]:
        """The id of a manual deployment's job and the URL that takes its archive."""
        answer = self._call("create_deployment", appId=app_id, branchName=branch)
        return str(answer["jobId"]), str(answer["zipUploadUrl"])

    def start_deployment(self, app_id: str, branch: str, job_id: str) -> None:
        self._call("start_deployment", appId=app_id, branchName=branch, jobId=job_id)

    def own(self, path: str, parameters: Sequence[tuple[str, str]], *, method: str = "GET") -> Any:
        """The JSON of an endpoint of Preamp's own below `/_preamp/`, called with a signature."""
        from urllib.error import HTTPError, URLError
        from urllib.parse import quote, urlencode
        from urllib.request import Request

        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = self._client._request_signer._credentials  # noqa: SLF001 (where botocore keeps them)
        if credentials is None:
            raise CommandError('no access key: run eval "$(preamp env)" first')
        query = urlencode(parameters, quote_via=quote, safe="")
        url = f"{self.endpoint.control_url.rstrip('/')}{path}?{query}"
        signed = AWSRequest(method=method, url=url)
        SigV4Auth(credentials.get_frozen_credentials(), "amplify", self.endpoint.region).add_auth(signed)
        request = Request(url, headers=dict(signed.headers), method=method)  # noqa: S310 (the server's own)
        try:
            with opener(url).open(request, timeout=30) as answer:
                return json.load(answer)
        except HTTPError as error:
            text = error.read().decode("utf-8", "replace").strip()
            raise (CommandError if error.code < 500 else Failure)(text or str(error)) from error
        except (URLError, OSError) as error:
            raise Unreachable(
                f"the server at {self.endpoint.control_url} (from {self.endpoint.origin}) "
                f"does not answer: {error}"
            ) from error

    def upload(self, url: str, file: IO[bytes], size: int) -> None:
        """PUT `size` bytes, from the file's beginning, to a presigned URL."""
        from urllib.error import HTTPError, URLError
        from urllib.request import Request

        file.seek(0)
        headers = {"Content-Length": str(size), "Content-Type": "application/zip"}
        try:
            with opener(url).open(Request(url, data=file, method="PUT", headers=headers)) as answer:  # noqa: S310
                answer.read()
        except HTTPError as error:
            text = error.read(500).decode("utf-8", "replace").strip()
            raise Failure(f"the upload was refused ({error.code}): {text or error.reason}") from error
        except (URLError, OSError) as error:
            raise Failure(f"the upload broke off: {error}") from error

    def _pages(self, operation: str, member: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        token: str | None = None
        while True:
            more = {"nextToken": token} if token else {}
            answer = self._call(operation, maxResults=50, **arguments, **more)
            yield from answer[member]
            token = answer.get("nextToken")
            if not token:
                return

    def _call(self, operation: str, *, missing: Any = ..., **arguments: Any) -> Any:
        """Call an operation. `missing`, when given, is the answer to "not found"."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            EndpointConnectionError,
            HTTPClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )

        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            facts = error.response.get("Error", {})
            code, message = facts.get("Code", "Unknown"), facts.get("Message", "")
            if code == "NotFoundException" and missing is not ...:
                return missing
            kind: type[click.ClickException] = CommandError
            if code in _REFUSED or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                kind = Failure
            raise kind(f"{message or 'refused'} ({code})") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise CommandError(f'no access key: run eval "$(preamp env)" first ({error})') from error
        except (EndpointConnectionError, HTTPClientError) as error:
            raise Unreachable(
                f"the server at {self.endpoint.control_url} (from {self.endpoint.origin}) "
                f"does not answer: {error}"
            ) from error
        except BotoCoreError as error:
            raise CommandError(str(error)) from error


def is_loopback(url: str) -> bool:
    return _LOOPBACK.fullmatch(urlsplit(url).hostname or "") is not None


def opener(url: str) -> Any:
    """A urllib opener for a URL of the server: past any proxy when it is on this machine."""
    from urllib.request import ProxyHandler, build_opener

    return build_opener(ProxyHandler({})) if is_loopback(url) else build_opener()


def site_url(app: AppView, branch: BranchView) -> str:
    """Where a branch is served."""
    from preamp.model.ids import branch_label

    return f"http://{branch_label(branch.display_name)}.{app.default_domain}/"


def _app(item: Mapping[str, Any]) -> AppView:
    return AppView(
        app_id=item["appId"],
        name=item["name"],
        default_domain=item["defaultDomain"],
        repository=item.get("repository") or None,
    )


def _branch(item: Mapping[str, Any]) -> BranchView:
    return BranchView(name=item["branchName"], display_name=item.get("displayName") or item["branchName"])


def _job(summary: Mapping[str, Any], steps: Any) -> JobView:
    return JobView(
        job_id=str(summary["jobId"]),
        type=summary["jobType"],
        status=JobStatus(summary["status"]),
        commit_id=summary.get("commitId") or None,
        commit_message=summary.get("commitMessage") or None,
        started=summary.get("startTime"),
        ended=summary.get("endTime"),
        steps=tuple(_step(step) for step in steps),
    )


def _step(item: Mapping[str, Any]) -> StepView:
    return StepView(
        name=item["stepName"],
        status=JobStatus(item["status"]),
        status_reason=item.get("statusReason") or None,
        log_url=item.get("logUrl") or None,
        started=item.get("startTime"),
        ended=item.get("endTime"),
    )
