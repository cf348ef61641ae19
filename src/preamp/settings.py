"""One typed settings object. Order: command-line flags, environment `PREAMP_*`, file, defaults.

The file is TOML, named by `PREAMP_CONFIG`, else `preamp.toml` in the data folder. Every field here is
documented in docs/settings.md (a test compares both).
"""

from __future__ import annotations

import os
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from preamp.model.hosting import parse_network


class AuthMode(StrEnum):
    KEYS = "keys"  # signatures are verified against the keys in the database
    ANY = "any"  # emulator mode: any key is accepted; loopback only


class ComputeNetwork(StrEnum):
    OUTBOUND = "outbound"  # the internet, not this machine
    NONE = "none"  # nothing at all
    SHARED = "shared"  # this machine's network, its own services included


class SettingsError(Exception):
    """A setting is wrong; the text says which, where it came from and what to do."""


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{value!r} is not HOST:PORT, such as 127.0.0.1:7732 or [::1]:0")
    return value


def _listed(value: object) -> object:
    """`a, b` -> ("a", "b"); lists, as TOML has them, stay."""
    if isinstance(value, str):
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())
    return value


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(parse_network(value)) for value in values)


Address = Annotated[str, AfterValidator(_address)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_networks)]
MIB = 1024 * 1024
GIB = 1024 * MIB


def default_data_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "preamp"


class Settings(BaseSettings):
    """All settings. Sizes are bytes, durations seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="PREAMP_", frozen=True, extra="forbid")

    data: Path = Field(
        default_factory=default_data_folder,
        description="Folder of everything Preamp keeps; deleting it resets Preamp.",
    )
    database: str | None = Field(
        default=None,
        repr=False,
        pattern=r"^postgres(ql)?://",
        description="URL of a PostgreSQL database for processes on many machines, such as "
        "`postgresql://preamp@db.example/preamp`; unset: one SQLite file in the data folder.",
    )
    blobs: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$",
        description="Where files and logs are kept for many machines, such as `s3://bucket/prefix`; unset: "
        "in the data folder.",
    )
    blobs_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+/?$",
        description="URL of the S3 service of `blobs`; unset: Amazon's own.",
    )
    blobs_region: str = Field(
        default="us-east-1", pattern=r"^[a-z0-9-]{1,32}$", description="Region of that S3 service."
    )
    blobs_access_key_id: str | None = Field(
        default=None,
        min_length=1,
        description="Access key for `blobs`, never used for anything that a client names; unset: the role of "
        "the machine, as Amazon's services give it.",
    )
    blobs_secret_access_key: str | None = Field(
        default=None, min_length=1, repr=False, description="Its secret."
    )
    blob_cache_bytes: int = Field(
        default=2 * GIB,
        ge=1,
        description="Bound of the local copies of files that processes with `blobs` in S3 keep in the data "
        "folder.",
    )
    master_key: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        repr=False,
        description="What secrets are sealed with, 64 hexadecimal digits, the same for all processes of one "
        "database; unset: the file `master.key` in the data folder.",
    )
    lease_seconds: int = Field(
        default=15,
        ge=3,
        le=3600,
        description="With a PostgreSQL database: a worker that is silent for so long is taken for dead and "
        "its jobs run elsewhere; one that cannot reach the database for two thirds of it stops its builds.",
    )
    control: Address = Field(
        default="127.0.0.1:7732",
        description="Where the API, webhooks and presigned files listen; port 0 picks a free one.",
    )
    edge: Address = Field(
        default="127.0.0.1:7780",
        description="Where sites are served; port 0 picks a free one.",
    )
    auth: AuthMode = Field(
        default=AuthMode.KEYS,
        description="`keys` verifies signatures; `any` accepts every key and needs a loopback control.",
    )
    account_id: str = Field(
        default="000000000000",
        pattern=r"^\d{12}$",
        description="The AWS account id that the first key belongs to.",
    )
    region: str = Field(
        default="us-east-1",
        pattern=r"^[a-z0-9-]{1,32}$",
        description="The region that `preamp env` prints and the commands use.",
    )
    site_domain: str | None = Field(
        default=None,
        description="What follows `{branch}.{appId}.` in a site's host; unset: `localhost:{edge port}`.",
    )
    control_url: str | None = Field(
        default=None,
        description="The URL of the control port as clients see it, for presigned URLs; unset: "
        "whatever host the client called.",
    )
    edge_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] | None = Field(
        default=None,
        description="Names and addresses under which the edge is reached, with commas between them; a custom "
        "domain's name is verified when it leads to one of them. The first name is what DNS records are to "
        "point to. Unset: loopback and this machine's own addresses.",
    )
    webhook_host: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$",
        description="The host in the URLs of incoming webhooks, such as "
        "`webhooks.amplify.us-east-1.amazonaws.com`, which then have AWS's form; unset: the control port.",
    )
    worker_slots: int = Field(
        default_factory=lambda: max(1, min(8, os.cpu_count() or 1)),
        ge=1,
        le=1024,
        description="Jobs that one worker runs at once.",
    )
    concurrent_jobs: int = Field(
        default=5,
        ge=1,
        le=100_000,
        description="Jobs of one account and region that run at once, over all workers.",
    )
    control_processes: int = Field(
        default_factory=lambda: max(1, min(2, (os.cpu_count() or 1) // 2)),
        ge=1,
        le=256,
        description="Processes that share the control port.",
    )
    edge_processes: int = Field(
        default_factory=lambda: max(1, min(2, os.cpu_count() or 1)),
        ge=1,
        le=256,
        description="Processes that share the edge port.",
    )
    build_timeout_minutes: int = Field(
        default=30,
        ge=5,
        le=120,
        description="Time limit of a build; an app's or branch's variable `_BUILD_TIMEOUT` wins.",
    )
    build_memory_bytes: int | None = Field(
        default=None,
        ge=64 * MIB,
        description="Most memory of a build, files of a workspace in memory included; unset: what the app's "
        "compute type has.",
    )
    build_disk_bytes: int | None = Field(
        default=None,
        ge=64 * MIB,
        description="Most disk space of a build's workspace; unset: what the app's compute type has.",
    )
    cache_snapshot_bytes: int = Field(
        default=20 * GIB,
        ge=0,
        description="Bound of the unpacked copies of build caches, which are restored in no time; 0: none "
        "are kept. Needs Linux 5.19 as root, else Linux 6.6 and user namespaces.",
    )
    screenshots: bool = Field(
        default=True,
        description="Whether a picture of the page is taken after a successful job, where Chromium is.",
    )
    drain_seconds: float = Field(
        default=10.0,
        ge=0,
        description="How long running jobs may go on after SIGTERM before they are handed back.",
    )
    insecure_no_sandbox: bool = Field(
        default=False,
        description="Run builds without isolation where the machine offers none; else jobs fail.",
    )
    compute_network: ComputeNetwork = Field(
        default=ComputeNetwork.OUTBOUND,
        description="What servers of releases can reach: `outbound` (all but this machine, by `pasta` of the "
        "package passt; nothing where that does not work), `none`, or `shared` (this machine's network "
        "with all that listens on it).",
    )
    compute_memory_mb: int = Field(
        default=1024, ge=64, description="Most memory of one server, in MiB; its files in `/tmp` count."
    )
    compute_cpus: float = Field(default=2.0, gt=0, description="Most processors that one server uses.")
    compute_servers: int = Field(
        default=16,
        ge=1,
        le=512,
        description="Servers of releases that run at once on a machine; the one that was unused for longest "
        "makes place for another.",
    )
    compute_idle_seconds: float = Field(
        default=900.0, gt=0, description="After how long a server that nobody uses is stopped."
    )
    compute_start_seconds: float = Field(
        default=30.0, gt=0, description="How long a server may take until it listens on its port."
    )
    compute_timeout_seconds: float = Field(
        default=900.0,
        ge=0,
        description="How long a server of a release may be silent, before its answer and within it, before "
        "the visitor gets 504 or the answer is cut; 0: for ever. An answer that flows may take any time.",
    )
    compute_drain_seconds: float = Field(
        default=60.0,
        ge=0,
        description="How long requests and streams under way may go on after their server was replaced.",
    )
    compute_cache_bytes: int = Field(
        default=4 * GIB,
        ge=0,
        description="Bound of the unpacked servers that are kept on a machine; those that run always are.",
    )
    max_upload_bytes: int = Field(default=5 * GIB, ge=1, description="Largest upload of a manual deployment.")
    max_release_bytes: int = Field(
        default=5 * GIB, ge=1, description="Largest unpacked output of a job, all files together."
    )
    max_release_files: int = Field(default=200_000, ge=1, description="Most files in the output of a job.")
    max_compute_bytes: int = Field(
        default=220 * MIB,
        ge=1,
        description="Largest unpacked server, `compute/` of a bundle for server-side rendering.",
    )
    min_free_bytes: int = Field(
        default=256 * MIB,
        ge=0,
        description="With less free space in the data folder, new jobs and uploads are refused.",
    )
    edge_memory_bytes: int = Field(
        default=128 * MIB,
        ge=0,
        description="Bound of the prepared answers that each edge process keeps in memory.",
    )
    edge_idle_app_minutes: int = Field(
        default=60,
        ge=1,
        description="An app that nobody asked for in so long is dropped from an edge process's memory; the "
        "next visitor waits until it is read again.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Addresses and networks of load balancers and proxies before the edge, with commas "
        "between them; only their `X-Forwarded-For`, `X-Forwarded-Proto` and country headers are believed.",
    )
    country_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="Header in which a trusted proxy names the visitor's country, such as "
        "`CloudFront-Viewer-Country`, for rules with a condition.",
    )
    country_database: Path | None = Field(
        default=None,
        description="A MaxMind-format file that tells the country of an address, for rules with a condition; "
        "the header goes before it. It is read when an edge process starts.",
    )
    proxy_private_networks: Networks = Field(
        default=(),
        description="Networks that rules may forward requests to although they are not public, such as "
        "`127.0.0.0/8,10.0.0.0/8`; without it only public addresses are reached.",
    )
    proxy_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a server that a rule forwards to may be silent, before its answer and within "
        "it, before the visitor gets 504 or the answer is cut.",
    )
    image_processes: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Images that each edge process changes at once, in child processes that start when they "
        "are needed.",
    )
    image_seconds: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="How long changing an image may take, and how long fetching it from another server.",
    )
    image_cache_bytes: int = Field(
        default=512 * MIB,
        ge=1,
        description="Bound of the changed images that are kept in the data folder for the next visitor.",
    )
    skew_releases: int = Field(
        default=5,
        ge=0,
        le=100,
        description="Earlier releases of a branch with skew protection whose assets stay reachable.",
    )
    access_log_days: int = Field(
        default=30, ge=1, description="Days after which an hour of the access logs is deleted."
    )
    keep_jobs: int | None = Field(
        default=None,
        ge=1,
        description="Newest jobs of a branch that are kept; unset: age alone decides. What neither this nor "
        "`keep_job_days` keeps is removed; with both unset all are kept. So with the other `keep_` settings.",
    )
    keep_job_days: int | None = Field(default=None, ge=1, description="Days for which jobs are kept.")
    keep_releases: int | None = Field(
        default=None,
        ge=1,
        description="Newest releases of a branch that are kept for rollbacks; what is served always is.",
    )
    keep_release_days: int | None = Field(
        default=None, ge=1, description="Days for which releases are kept for rollbacks."
    )
    keep_logs: int | None = Field(
        default=None, ge=1, description="Newest jobs of a branch whose logs are kept."
    )
    keep_log_days: int | None = Field(default=None, ge=1, description="Days for which logs are kept.")
    keep_artifacts: int | None = Field(
        default=None,
        ge=1,
        description="Newest jobs of a branch whose uploads, test artifacts and pictures are kept.",
    )
    keep_artifact_days: int | None = Field(
        default=None, ge=1, description="Days for which uploads, test artifacts and pictures are kept."
    )
    keep_audit_days: int = Field(
        default=365, ge=1, description="Days for which entries of the audit log are kept."
    )
    allow_private_sources: bool = Field(
        default=True,
        description="Whether a deployment's `sourceUrl` may lead to loopback and private addresses, such as "
        "a build server's. Link-local addresses, where clouds keep their metadata, never may.",
    )
    s3_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+/?$",
        description="URL of the S3 service that `s3://` sources are read from; unset: Amazon's own, when "
        "there are keys. Without keys it is asked without a signature.",
    )
    s3_region: str = Field(
        default="us-east-1", pattern=r"^[a-z0-9-]{1,32}$", description="Region of that S3 service."
    )
    s3_access_key_id: str | None = Field(
        default=None,
        min_length=1,
        description="Access key for `s3://` sources. AWS's own variables and files are not looked at.",
    )
    s3_secret_access_key: str | None = Field(
        default=None, min_length=1, repr=False, description="Its secret."
    )
    log_level: str = Field(
        default="info",
        pattern=r"^(debug|info|warning|error)$",
        description="Least severe messages that the processes print.",
    )

    log_format: str = Field(
        default="text",
        pattern=r"^(text|json)$",
        description="`json`: one JSON object a line. Both forms tell which request or job it is about.",
    )
    metrics_token: str | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="Bearer token for `/_preamp/metrics`; unset: only clients on this machine get them.",
    )

    @property
    def s3_ready(self) -> bool:
        """Whether `s3://` sources can be read at all."""
        return self.s3_endpoint is not None or self.s3_access_key_id is not None

    @model_validator(mode="after")
    def _check_pairs(self) -> Settings:
        if (self.s3_access_key_id is None) is not (self.s3_secret_access_key is None):
            raise ValueError("s3_access_key_id and s3_secret_access_key must be set together")
        if (self.blobs_access_key_id is None) is not (self.blobs_secret_access_key is None):
            raise ValueError("blobs_access_key_id and blobs_secret_access_key must be set together")
        if self.blobs is not None and self.database is None:
            raise ValueError("blobs in S3 are for many machines, which need a PostgreSQL database as well")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        data = init_settings().get("data") or env_settings().get("data") or default_data_folder()
        file = os.environ.get("PREAMP_CONFIG")
        values = _read_file(Path(file) if file else Path(data) / "preamp.toml", required=bool(file))
        return init_settings, env_settings, InitSettingsSource(settings_cls, values)


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise SettingsError(f"PREAMP_CONFIG names {path}, which does not exist") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read the settings file {path}: {error}") from error


def load(**flags: Any) -> Settings:
    """Settings from all sources; `None` among `flags` means "not given".

    Raises SettingsError with one line per wrong setting.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        lines = [
            f"setting {'.'.join(map(str, item['loc'])) or '?'}: {item['msg']}" for item in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from error
