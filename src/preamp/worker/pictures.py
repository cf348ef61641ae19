"""Pictures of pages: taken after a job has succeeded, by Chromium in the sandbox, one at a time.

After, so that no job waits for it; what it shows is the release itself, served from the blob store to
nobody but this browser.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import stat
from pathlib import Path

from preamp.build.request import Folders
from preamp.build.sandbox import Launch, Limits, Sandbox
from preamp.build.workspace import Workspace, give, open_scratch
from preamp.model.jobs import Attempt
from preamp.model.releases import Manifest, Release
from preamp.store import artifacts, releases
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.manifests import read_manifest
from preamp.worker.page_server import PageServer

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SYSTEM = ("/usr/", "/opt/", "/bin/")
SLOT = 1900
"""Beyond the slots of builds, so that the browser has a user id of its own."""
WIDTH, HEIGHT = 1280, 800
FILE_NAME = f"{WIDTH}x{HEIGHT}.png"
TIMEOUT_S = 20.0
SETTLE_MS = 3000
"""Of the page's own clock, for what scripts still do after the page is loaded."""
LIMITS = Limits(memory_bytes=2 * 1024**3, processes=512)
MAX_PICTURE = 16 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Preamp"
_log = logging.getLogger(__name__)


def find_browser() -> str | None:
    """A browser that the sandbox can see."""
    for name in NAMES:
        program = shutil.which(name, path="/usr/bin:/usr/local/bin:/opt/google/chrome:/snap/bin")
        if program and program.startswith(SYSTEM):
            return program
    return None


class Photographer:
    """One for the worker process. Best effort: a picture that does not come out is only logged."""

    def __init__(
        self, *, database: Database, blobs: BlobStore, sandbox: Sandbox, folders: Folders, wanted: bool
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._sandbox = sandbox
        self._folders = folders
        self._browser = find_browser() if wanted else None
        self._wanted = wanted
        self._waiting: dict[int, tuple[Attempt, Release]] = {}
        self._something = asyncio.Event()

    @property
    def outlook(self) -> str:
        """For the log of the VERIFY step."""
        if self._browser is not None:
            return "A picture of the page is taken next."
        if not self._wanted:
            return "No picture of the page is taken: the setting screenshots is off."
        return (
            "No picture of the page is taken: Chromium is not on the machine that runs the jobs "
            "(Debian, Ubuntu: apt install chromium)."
        )

    def ask(self, attempt: Attempt, release: Release) -> None:
        """Of several releases of a branch only the newest is taken."""
        if self._browser is not None:
            self._waiting[attempt.branch_id] = (attempt, release)
            self._something.set()

    async def keep_taking(self) -> None:
        """Until cancelled. Must run in the main thread."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                attempt, release = self._waiting.pop(next(iter(self._waiting)))
                try:
                    async with asyncio.timeout(2 * TIMEOUT_S):
                        await self._take(attempt, release)
                except Exception:  # noqa: BLE001 (a picture is not worth the worker)
                    _log.warning("no picture of job %s could be taken", attempt.number, exc_info=True)

    async def _take(self, attempt: Attempt, release: Release) -> None:
        manifest = await asyncio.to_thread(read_manifest, self._blobs, release.manifest)
        if "index.html" not in manifest.files:
            return
        picture = await self._photograph(manifest)
        if picture is None:
            _log.info("Chromium left no picture of job %s", attempt.number)
            return
        await asyncio.to_thread(self._store, attempt, release, picture)

    def _store(self, attempt: Attempt, release: Release, picture: bytes) -> None:
        blob = self._blobs.put_bytes(picture)
        self._blobs.sync()
        with self._database.write() as tx:
            of_job = releases.get_release_of_job(tx.conn, attempt.branch_id, attempt.number)
            # The job may have been deleted meanwhile.
            if of_job is not None and of_job.release_id == release.release_id:
                artifacts.add_screenshot(tx.conn, attempt.branch_id, attempt.number, FILE_NAME, blob)

    async def _photograph(self, manifest: Manifest) -> bytes | None:
        token = secrets.token_urlsafe(16)
        async with open_scratch(self._folders, "picture") as workspace:
            async with PageServer(manifest, self._blobs, token=token) as url:
                await self._run_browser(workspace, url, token)
            return await asyncio.to_thread(_read, workspace.home / "page.png")

    async def _run_browser(self, workspace: Workspace, url: str, token: str) -> None:
        assert self._browser is not None, "asked for only where there is one"
        give(workspace.files, self._sandbox.owner(SLOT))
        inside = self._sandbox.inside(workspace.files)
        home = inside / "home"
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            running = await self._sandbox.start(
                Launch(
                    argv=(
                        "nice", "-n", "19", self._browser, "--headless=new", "--no-sandbox", "--disable-gpu",
                        "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--no-first-run",
                        "--disable-extensions", "--disable-background-networking", "--disable-sync",
                        f"--user-data-dir={home}/profile", f"--window-size={WIDTH},{HEIGHT}",
                        f"--user-agent={AGENT} {token}", "--proxy-server=direct://",
                        f"--virtual-time-budget={SETTLE_MS}", f"--screenshot={home}/page.png", url,
                    ),
                    environment={
                        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8",
                        "TMPDIR": str(inside / "tmp"), "XDG_RUNTIME_DIR": str(inside / "tmp"),
                    },
                    workspace=workspace.files,
                    cwd=str(home),
                    slot=SLOT,
                    stdin=null,
                    stdout=null,
                    stderr=null,
                    limits=LIMITS,
                )
            )  # fmt: skip
        finally:
            os.close(null)
        waiter = asyncio.create_task(running.wait())
        try:
            await asyncio.wait({waiter}, timeout=TIMEOUT_S)
        finally:
            running.kill()
            await waiter


def _read(path: Path) -> bytes | None:
    """The picture, if that is what it is. The browser is dead."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_PICTURE:
            return None
        data = file.read()
    return data if data.startswith(PNG) else None
