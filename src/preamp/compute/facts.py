"""What the host knows of a release: from the database, and on disk for when that is away."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from preamp.model.branches import Branch
from preamp.model.compute import Compute
from preamp.model.secrets import Secret
from preamp.store import documents
from preamp.store.blobs import BlobStore
from preamp.store.branches import get_branch_by_id
from preamp.store.database import Database
from preamp.store.hosting import sites_of_app
from preamp.store.manifests import read_manifest
from preamp.store.releases import get_release
from preamp.store.sealing import MasterKey
from preamp.store.secrets import secrets_of_branch

MOST_REMEMBERED = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything that starts the server of a release."""

    release_id: str
    app_id: str
    branch_id: int
    branch: str
    job: int
    compute: Compute
    runtime_variables: bool = False
    """Whether the server sees what follows; it is empty otherwise."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of app and branch."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_variables: tuple[str, ...] = ()
    """Names of secrets that are variables of their own."""


def facts_of(
    release_id: str,
    compute: Compute,
    *,
    branch: Branch,
    job: int,
    app_variables: Mapping[str, str],
    secrets: Mapping[str, Secret],
    opted_in: bool,
) -> Facts:
    """opted_in: whether the server sees the variables and secrets."""
    seen = secrets if opted_in else {}
    return Facts(
        release_id=release_id,
        app_id=branch.app_id,
        branch_id=branch.branch_id,
        branch=branch.name,
        job=job,
        compute=compute,
        runtime_variables=opted_in,
        variables={**app_variables, **branch.config.environment_variables} if opted_in else {},
        secrets={name: secret.value for name, secret in seen.items()},
        secret_variables=tuple(sorted(name for name, secret in seen.items() if secret.as_variable)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A release as of now."""

    facts: Facts
    active: str | None
    """The release that the branch serves."""


class FactsReader:
    """Reads from the database. Blocking; every method raises SQLAlchemyError, OSError or
    DependentServiceFailure when it is away."""

    def __init__(self, database: Database, blobs: BlobStore, master: MasterKey) -> None:
        self._database = database
        self._blobs = blobs
        self._master = master

    def read(self, release_id: str) -> Known | None:
        """None when there is no such release (any more), or it has no server. Raises ManifestError,
        SealError."""
        with self._database.read() as conn:
            release = get_release(conn, release_id)
            branch = get_branch_by_id(conn, release.branch_id) if release else None
            if release is None or branch is None:
                return None
            sites = sites_of_app(conn, branch.app_id).values()
            site = next((site for site in sites if site.branch_id == branch.branch_id), None)
            if site is None:
                return None
            opted_in = site.branch_hosting.runtime_variables
            secrets = secrets_of_branch(conn, self._master, site.app_id, branch.name) if opted_in else {}
        compute = read_manifest(self._blobs, release.manifest).compute
        if compute is None:
            return None
        facts = facts_of(
            release_id,
            compute,
            branch=branch,
            job=release.job,
            app_variables=site.app.environment_variables,
            secrets=secrets,
            opted_in=opted_in,
        )
        return Known(facts=facts, active=site.release_id)


class FactsMemory:
    """Facts on disk, sealed: there are secrets among them."""

    def __init__(self, folder: Path, master: MasterKey) -> None:
        self._folder = folder
        self._master = master

    def put(self, facts: Facts) -> None:
        """Raises OSError."""
        file = self._file(facts.release_id)
        temporary = file.with_name(f".{file.name}-{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_bytes(self._master.seal(documents.encode(facts), owner=_owner(facts.release_id)))
        temporary.rename(file)

    def get(self, release_id: str) -> Facts | None:
        """None when they were never put. Raises SealError, OSError."""
        with contextlib.suppress(FileNotFoundError):
            sealed = self._file(release_id).read_bytes()
            return documents.decode(self._master.open(sealed, owner=_owner(release_id)), Facts)
        return None

    def forget(self, release_id: str) -> None:
        """Raises OSError."""
        self._file(release_id).unlink(missing_ok=True)

    def _file(self, release_id: str) -> Path:
        """Whatever somebody calls a release, it is a file of ours."""
        return self._folder / hashlib.sha256(release_id.encode()).hexdigest()

    def sweep(self) -> None:
        """Keep the newest, and nothing half written."""
        found = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        whole = [file for file in found if not file.name.startswith(".")]
        for file in {*found} - {*whole[:MOST_REMEMBERED]}:
            file.unlink(missing_ok=True)


def _owner(release_id: str) -> str:
    return f"server of release {release_id}"
