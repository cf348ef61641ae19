"""A real build, end to end: the React sample through the API against a bare script of the same commands.

Cold: nothing of it was ever built here. Warm: a new commit of an app that was built before. The script
clones, installs into an empty cache and builds; runs of all three alternate, so that they see the same
machine and network. Goals: cold within 1.05 times the script plus 0.5 s, warm below 0.6 times the script's
cold time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.job import job
from bench.report import median, need, table
from tests.support.preamp import running
from tests.support.repositories import Repository, new_repository

ROUNDS = 3
POLL_SECONDS = 0.05
"""Seldom: to look at a job all the time would take the processors that its build needs."""
SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "react"
SCRIPT = """set -e
git clone -q {repository} {folder}/src
cd {folder}/src
npm ci --cache .npm --prefer-offline --no-audit --no-fund
npm run build
cp -r dist {folder}/live
"""


def main() -> None:
    need("git")
    need("npm")
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
        folder = Path(temporary)
        repository = new_repository(folder)
        ignored = shutil.ignore_patterns("node_modules", "dist", ".npm")
        shutil.copytree(SAMPLE, repository.work, dirs_exist_ok=True, ignore=ignored)
        repository.commit({})
        script, cold, warm = [], [], []
        with running(folder / "data") as preamp:
            client = preamp.client()
            for number in range(ROUNDS):
                script.append(bare(repository, folder / f"bare-{number}"))
                app_id = client.create_app(name=f"app-{number}", repository=repository.url)["app"]["appId"]
                client.create_branch(appId=app_id, branchName="main")
                cold.append(timed(client, app_id))
                repository.commit({"src/style.css": f"body {{ margin: {number}px; }}\n"})
                warm.append(timed(client, app_id))
    allowed = 1.05 * median(script) + 0.5
    table(
        f"React sample, s, {ROUNDS} alternating rounds",
        ("", "p50", "min", "of the script", "goal"),
        [
            ("script, cold", median(script), min(script), 1.0, ""),
            ("job, cold", median(cold), min(cold), median(cold) / median(script), f"{allowed:.2f} s"),
            ("job, warm", median(warm), min(warm), median(warm) / median(script), "0.60"),
        ],
    )


def timed(client: Any, app_id: str) -> float:
    return job(client, app_id, "main", every=POLL_SECONDS)[0]


def bare(repository: Repository, folder: Path) -> float:
    """Seconds of the same work by hand."""
    folder.mkdir()
    home = {**os.environ, "HOME": str(folder), "CI": "true"}
    began = time.perf_counter()
    text = SCRIPT.format(repository=repository.bare, folder=folder)
    subprocess.run(
        ["bash", "-c", text], check=True, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
