"""VERIFY of a release with a server: it is started from what was stored, and asked for /, not served yet."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from preamp.build.sandbox import Sandbox
from preamp.compute.bundles import Bundles
from preamp.compute.errors import ComputeError
from preamp.compute.facts import Facts, facts_of
from preamp.compute.instance import Instance, Machine, start_instance
from preamp.compute.logs import ServerLog
from preamp.compute.machinery import machine_of
from preamp.model.compute import Compute
from preamp.model.hosting import AppHosting, BranchHosting
from preamp.model.ids import new_release_id
from preamp.model.jobs import Attempt
from preamp.release.errors import VerifyError
from preamp.settings import Settings
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.folder import DataFolder
from preamp.store.hosting_options import get_app_hosting, get_branch_hosting
from preamp.worker.steps import StepLog
from preamp.worker.target import Target

FIRST_SLOT = 4096
"""Of sandboxes: those below are for builds and for the compute host."""
MAX_HEAD = 16 * 1024
LIVE = "the previous release stays live"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")

CheckServer = Callable[[Compute, StepLog], Awaitable[None]]
"""Raises VerifyError."""


@dataclass(slots=True)
class ServerTrial:
    """Tries servers for one worker."""

    database: Database
    folder: DataFolder
    settings: Settings
    sandbox: Sandbox
    blobs: BlobStore
    _machine: Machine | None = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    def of(self, target: Target, attempt: Attempt, slot: int) -> CheckServer:
        """The trial of what an attempt deploys. slot: of the job."""

        async def check(compute: Compute, log: StepLog) -> None:
            app, branch = await asyncio.to_thread(self._options, target)
            facts = facts_of(
                new_release_id(),
                compute,
                branch=target.branch,
                job=attempt.number,
                app_variables=target.app.config.environment_variables,
                secrets=target.secrets,
                opted_in=branch.runtime_variables,
            )
            host = f"{target.branch.label}.{target.app.app_id}.{self.settings.site_domain or 'localhost'}"
            try:
                await self._try(facts, slot=slot, host=host, root=app.verify_root, log=log)
            except ComputeError as error:
                raise VerifyError(f"The server of this release does not start ({LIVE}): {error}") from error

        return check

    async def _try(self, facts: Facts, *, slot: int, host: str, root: bool, log: StepLog) -> None:
        machine = await self._open_machine()
        if machine.network.problem:
            log.warning(machine.network.text)
        bundles = Bundles(machine.places.bundles, self.blobs, max_bytes=self.settings.compute_cache_bytes)
        output = ServerLog(_Nowhere(), secrets=facts.secrets.values())
        bundle = await bundles.open(facts.compute)
        try:
            instance = await start_instance(
                machine,
                facts,
                bundle=bundle.folder,
                slot=FIRST_SLOT + slot,
                log=output,
                socket_path=machine.places.sockets / f"{os.getpid()}-verify-{slot}.sock",
            )
            try:
                await self._ask(instance, output, host=host, root=root, log=log)
            finally:
                await instance.stop(0)
        finally:
            bundle.close()

    async def _ask(
        self, instance: Instance, output: ServerLog, *, host: str, root: bool, log: StepLog
    ) -> None:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self.settings.compute_start_seconds):
                status = await _status_of(instance.socket_path, host)
        except TimeoutError:
            told = f"no answer within {self.settings.compute_start_seconds:g} s"
            status = None
        except OSError as error:
            told = f"no answer: {error}"
            status = None
        else:
            told = f"status {status}"
        took = time.monotonic() - begun
        log.info(
            f"The server listened after {instance.start_seconds:.2f} s; / gave {told} after {took:.2f} s."
        )
        if status is not None and status < 500:
            return
        output.flush()
        lines = "\n".join(output.last_lines)
        text = f"The server of this release fails at /: {told}."
        last = f" Its last lines:\n{lines}" if lines else " It printed nothing."
        if root:
            raise VerifyError(f"{text} So {LIVE}; `preamp compute verify APP off` allows it.{last}")
        log.warning(f"{text} It is served all the same, as the app's verification is off.{last}")

    async def _open_machine(self) -> Machine:
        async with self._making:
            if self._machine is None:
                self._machine = await machine_of(self.settings, self.folder, self.sandbox, slot=FIRST_SLOT)
            return self._machine

    def _options(self, target: Target) -> tuple[AppHosting, BranchHosting]:
        app_id = target.app.app_id
        with self.database.read() as conn:
            app = get_app_hosting(conn, app_id)
            branch = get_branch_hosting(conn, app_id, target.branch.name)
        return app or AppHosting(), branch or BranchHosting()


async def _status_of(socket_path: Path, host: str) -> int:
    """Raises OSError when what comes is no answer."""
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    try:
        head = f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: {host}\r\n"
        writer.write(f"{head}User-Agent: Preamp\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while b"\r\n" not in data and len(data) < MAX_HEAD:
            block = await reader.read(MAX_HEAD)
            if not block:
                break
            data += block
    finally:
        writer.close()
    match = _STATUS.match(data)
    if match is None:
        raise ConnectionError("the connection was closed" if not data else "what came is not HTTP")
    return int(match[1])


class _Nowhere:
    """The last lines are enough."""

    def write(self, data: bytes) -> None:
        return
