"""Preamp's embedded form against Buildbot, each asked through its own API to run the same no-op build.

Buildbot: a master on SQLite, one worker process, one builder for each branch, builds forced over the REST
API. Preamp: `preamp serve`, StartJob of boto3. A build of either takes the newest commit of the branch from
the same local repository, copies a page and puts it in place: Buildbot by `Git`, a shell command with `cp`;
Preamp in a sandbox, and it also compresses, stores, verifies and switches. Each may run as many builds at
once as there are branches, and is asked again and again whether a build runs and is over. Single builds of
both alternate; the other one is idle meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.error import URLError
from urllib.request import Request, urlopen

from bench.environment import free_port, program
from bench.report import median, need, percentile, table
from tests.support.preamp import TERMINAL, running
from tests.support.repositories import STATIC_SPEC, Repository, new_repository

BRANCHES = [f"b{number}" for number in range(6)]
ROUNDS = int(os.environ.get("ROUNDS", "40"))
EACH = 6
"""Builds of each branch in the run of all branches at once."""
POLL_SECONDS = 0.01
POLL_SECONDS_AT_ONCE = 0.1
"""Seldom enough not to keep Buildbot's master from its builds; only Preamp's next build waits for it."""
WAIT_SECONDS = 180.0
MASTER = """\
from buildbot.plugins import schedulers, steps, util, worker
c = BuildmasterConfig = {{
    "buildbotNetUsageData": None,
    "collapseRequests": False,
    "db_url": "sqlite:///state.sqlite",
    "workers": [worker.Worker("local", "password", max_builds={count})],
    "protocols": {{"pb": {{"port": "tcp:{worker_port}:interface=127.0.0.1"}}}},
    "www": {{"port": "tcp:{port}:interface=127.0.0.1", "plugins": {{}}}},
    "schedulers": [schedulers.ForceScheduler(name="force", builderNames={branches})],
}}
build = "mkdir -p dist && cp index.html dist/ && rm -rf ../live && cp -r dist ../live"
factory = util.BuildFactory([
    steps.Git(repourl="{repository}", mode="incremental"),
    steps.ShellCommand(command=["bash", "-c", build]),
])
c["builders"] = [
    util.BuilderConfig(name=name, workernames=["local"], factory=factory) for name in {branches}
]
"""


class Engine(Protocol):
    """What both can do."""

    queues: bool
    """Whether a second build may be asked for while one of the branch is not over; StartJob refuses it."""

    def start(self, branch: str) -> str:
        """Ask for a build; returns how it is called afterwards."""

    def has_begun(self, branch: str, build: str) -> bool:
        """Whether it runs, or is over."""

    def is_over(self, branch: str, build: str) -> bool:
        """Raises AssertionError for one that failed."""


@dataclass
class OfPreamp:
    client: Any
    app_id: str
    queues: bool = False

    def start(self, branch: str) -> str:
        started = self.client.start_job(appId=self.app_id, branchName=branch, jobType="RELEASE")
        return str(started["jobSummary"]["jobId"])

    def has_begun(self, branch: str, build: str) -> bool:
        return self._status(branch, build) not in {"CREATED", "PENDING", "PROVISIONING"}

    def is_over(self, branch: str, build: str) -> bool:
        status = self._status(branch, build)
        assert status in {"PENDING", "PROVISIONING", "RUNNING", "SUCCEED"}, status
        return status in TERMINAL

    def _status(self, branch: str, build: str) -> str:
        job = self.client.get_job(appId=self.app_id, branchName=branch, jobId=build)["job"]
        return str(job["summary"]["status"])


@dataclass
class OfBuildbot:
    port: int
    queues: bool = True
    builders: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        answer = self._call("GET", "/api/v2/builders")
        self.builders = {item["name"]: item["builderid"] for item in answer["builders"]}

    def start(self, branch: str) -> str:
        builder = str(self.builders[branch])
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "force",
            "params": {"builderid": builder, "branch": branch},
        }
        _, requests = self._call("POST", "/api/v2/forceschedulers/force", call)["result"]
        return str(requests[builder])

    def has_begun(self, branch: str, build: str) -> bool:
        return bool(self._builds(build))

    def is_over(self, branch: str, build: str) -> bool:
        found = self._builds(build)
        if not found or not found[0]["complete"]:
            return False
        assert found[0]["results"] == 0, found
        return True

    def _builds(self, request: str) -> list[dict[str, Any]]:
        return list(self._call("GET", f"/api/v2/buildrequests/{request}/builds")["builds"])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        # On connections of their own: with kept ones, now and then an answer's body does not come.
        request = Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        request.add_header("Content-Type", "application/json")
        with urlopen(request, json.dumps(body).encode() if body else None, timeout=30) as answer:
            return json.load(answer)


def main() -> None:
    need("git")
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
        folder = Path(temporary)
        repository = new_repository(folder / "git", {"index.html": "x\n", "amplify.yml": STATIC_SPEC})
        for name in BRANCHES:
            repository.commit({"name": name}, branch=name)
        count = str(len(BRANCHES))
        with (
            running(folder / "data", "--worker-slots", count, PREAMP_CONCURRENT_JOBS=count) as preamp,
            buildbot(folder, repository) as port,
        ):
            client = preamp.client(max_pool_connections=len(BRANCHES))
            app_id = client.create_app(name="bench", repository=repository.url)["app"]["appId"]
            for name in BRANCHES:
                client.create_branch(appId=app_id, branchName=name)
            compare(OfPreamp(client, app_id), OfBuildbot(port))


def compare(ours: Engine, theirs: Engine) -> None:
    engines = [("Preamp, embedded", ours), ("Buildbot", theirs)]
    alone: dict[str, list[tuple[float, float, float]]] = {name: [] for name, _ in engines}
    for number in range(ROUNDS + len(BRANCHES)):
        branch = BRANCHES[number % len(BRANCHES)]
        for name, engine in engines:
            measured = one(engine, branch)
            if number >= len(BRANCHES):  # the first of each branch clones
                alone[name].append(measured)
    rates = {name: at_once(engine) for name, engine in engines}
    rows = []
    for name, measured_all in alone.items():
        answered, begun, over = (
            [value * 1000 for value in column] for column in zip(*measured_all, strict=True)
        )
        rows.append((name, median(answered), median(begun), percentile(begun, 99), median(over), rates[name]))
    (_, *preamp), (_, *other) = rows
    ratios = [theirs_ / ours_ for ours_, theirs_ in zip(preamp[:-1], other[:-1], strict=True)]
    table(
        f"The same no-op build: {ROUNDS} one by one (ms from the call on), then {len(BRANCHES) * EACH} on "
        f"{len(BRANCHES)} branches",
        ("", "answer p50", "RUNNING p50", "RUNNING p99", "over p50", "builds/s"),
        [*rows, ("Preamp is better by", *ratios, preamp[-1] / other[-1])],
    )


def one(engine: Engine, branch: str) -> tuple[float, float, float]:
    """Seconds until the call was answered, until the build was seen to run, and to be over."""
    began = time.perf_counter()
    build = engine.start(branch)
    answered = time.perf_counter() - began
    wait(lambda: engine.has_begun(branch, build), POLL_SECONDS)
    begun = time.perf_counter() - began
    wait(lambda: engine.is_over(branch, build), POLL_SECONDS)
    return answered, begun, time.perf_counter() - began


def at_once(engine: Engine) -> float:
    """Builds a second when each branch always has one."""

    def builds_of(branch: str) -> None:
        asked = 0
        while asked < EACH:
            builds = [engine.start(branch) for _ in range(EACH if engine.queues else 1)]
            asked += len(builds)
            for build in builds:
                wait(lambda build=build: engine.is_over(branch, build), POLL_SECONDS_AT_ONCE)

    began = time.perf_counter()
    with ThreadPoolExecutor(len(BRANCHES)) as pool:
        list(pool.map(builds_of, BRANCHES))
    return len(BRANCHES) * EACH / (time.perf_counter() - began)


def wait(condition: Any, pause: float) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(pause)


@contextmanager
def buildbot(folder: Path, repository: Repository) -> Iterator[int]:
    """The port of a master's API, with a worker connected."""
    port, worker_port = free_port(), free_port()
    master, worker = folder / "master", folder / "worker"
    subprocess.run([program("buildbot"), "create-master", "-r", master], check=True, capture_output=True)
    (master / "master.cfg").write_text(
        MASTER.format(
            port=port,
            worker_port=worker_port,
            count=len(BRANCHES),
            branches=BRANCHES,
            repository=repository.url,
        )
    )
    create = ["create-worker", worker, f"127.0.0.1:{worker_port}", "local", "password"]
    subprocess.run([program("buildbot-worker"), *create], check=True, capture_output=True)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for name, base in (("buildbot", master), ("buildbot-worker", worker)):
            with (folder / f"{name}.log").open("wb") as log:
                start = [program(name), "start", "--nodaemon", base]
                processes.append(subprocess.Popen(start, stdout=log, stderr=log, start_new_session=True))
        wait(lambda: _worker_is_connected(port), 0.1)
        yield port
    finally:
        for process in processes:
            # The program starts another one, of its own process group.
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait(30)


def _worker_is_connected(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v2/workers", timeout=10) as answer:
            return any(found["connected_to"] for found in json.load(answer)["workers"])
    except (URLError, ConnectionError):
        return False


if __name__ == "__main__":
    main()
