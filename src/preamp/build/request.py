"""What a build is asked for and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from preamp.model.apps import ComputeType, Platform
from preamp.model.jobs import Commit

DEFAULT_TIMEOUT_S = 30 * 60.0
PASSED_ENVIRONMENT = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO", "PIP_*", "UV_INDEX*", "npm_config_*", "NPM_CONFIG_*", "YARN_*", "COREPACK_*", "TZ",
)  # fmt: skip
"""Patterns of the machine's own variables that builds may see: how to reach its package registries."""


class LogSink(Protocol):
    """Where the bytes of a step's log go: a file, a terminal, a buffer."""

    def write(self, data: bytes) -> object:
        """Take finished, masked log text (UTF-8). Called on the event loop: must not block for long."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """How to reach a private repository. Never shown, logged, or visible to the build."""

    token: str | None = field(default=None, repr=False)
    """An access token for http(s), or `user:token`."""
    ssh_key: str | None = field(default=None, repr=False)
    """A private key in OpenSSH form."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobIdentity:
    """Which job is built, as the build's environment names it."""

    app_id: str
    branch: str
    branch_arn: str
    job_id: str
    """Padded to ten digits, see `preamp.model.ids.padded`."""
    attempt: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """Where a build keeps things. Made when missing. Only one machine's builds share them."""

    mirrors: Path
    """A bare git mirror per app and repository."""
    caches: Path
    """Archives of `cache.paths`, by app and branch."""
    toolchains: Path
    """Node versions that were fetched; readable by every build."""
    images: Path | None = None
    """Root file systems of custom images; `None`: there are none."""
    workspaces: Path | None = None
    """Parent of the workspaces; `None`: memory (`/dev/shm`) when there is enough, else `/var/tmp`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequest:
    """Everything a build depends on."""

    job: JobIdentity
    repository: str
    """Any URL git understands, or the path of a repository."""
    folders: Folders
    commit_id: str | None = None
    """A commit (also abbreviated) or a tag; `None` or `HEAD`: the head of the branch."""
    credentials: Credentials = field(default_factory=Credentials)
    branch_spec: str | None = None
    app_spec: str | None = None
    app_variables: Mapping[str, str] = field(default_factory=dict)
    branch_variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Values that are masked in the log; the build sees them as JSON in the variable `secrets`."""
    secret_variables: frozenset[str] = frozenset()
    """Names of secrets that the build also sees as variables of their own."""
    platform: Platform = Platform.WEB
    """WEB_COMPUTE: the output may have a server."""
    compute_type: ComputeType = ComputeType.STANDARD_8GB
    timeout_s: float = DEFAULT_TIMEOUT_S
    """Of the whole build; the variable `_BUILD_TIMEOUT` (minutes) wins."""
    slot: int = 0
    """Builds that run at once on a machine have different slots: each has its own uid when root."""
    pass_environment: tuple[str, ...] = PASSED_ENVIRONMENT
    memory_bytes: int | None = None
    """A bound below that of the compute type."""
    disk_bytes: int | None = None
    """A bound below that of the compute type."""
    fallback_branch: str | None = None
    """Whose cache a build without one of its own begins with; it is only read."""
    obey_skip_mark: bool = False
    """A commit message that ends in `[skip-cd]` is not built."""
    built_commit: str | None = None
    """What is served now, for AMPLIFY_DIFF_DEPLOY; `None`: that variable is not obeyed."""


class EventKind(StrEnum):
    """What a build reports while it runs, for progress displays and for rows that should not wait."""

    SOURCE = "SOURCE"  # the commit is resolved; `commit` is set
    PHASE_STARTED = "PHASE_STARTED"  # `text` is the phase, such as `preBuild`
    COMMAND = "COMMAND"  # `text` is the command, masked
    PHASE_ENDED = "PHASE_ENDED"  # `text` is the phase
    COLLECTED = "COLLECTED"  # `text` says how many files the output has


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildEvent:
    kind: EventKind
    text: str = ""
    commit: Commit | None = None


OnEvent = Callable[[BuildEvent], None]
OpenTestLog = Callable[[str], Awaitable[LogSink]]
"""Given the context of the build, which is done, it opens the log of the tests."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What the test phases left. The files live as long as the workspace."""

    folder: Path
    files: tuple[str, ...]
    """Relative to `folder`, sorted."""
    config_file: str | None
    """The test report that `configFilePath` names, one of `files`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildResult:
    """A successful build. The files live as long as the workspace."""

    commit: Commit
    output: Path
    """A folder that holds exactly the artifact files: regular files and folders; links only below `compute/`
    of a bundle with a server, where they lead to something in this folder."""
    file_count: int
    total_bytes: int
    custom_headers: str | None
    """The text of customHttp.yml."""
    spec_headers: str | None
    """The `customHeaders` of the spec as JSON: the oldest form, which comes last (behaviour reference,
    section 7.6)."""
    app_root: str | None
    """Of the application that was built, in a monorepo."""
    context: str
    """For the BUILD step: what the build ran in."""
    warnings: tuple[str, ...] = ()
    tested: bool = False
    """Whether there were tests."""
    checked: Checked | None = None
    """What they left."""
    cache: Path | None = None
    """The archive that the next build begins with, when it was saved; `None`: there is no cache."""
