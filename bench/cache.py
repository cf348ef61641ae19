"""The restore of a large `node_modules`: laid under the workspace, unpacked, and by `tar -xf` alone.

1 GB in 31,500 files and 4,500 folders, as that of a large documentation site. All three work on the same
archive; the yardstick unpacks it with zstd and tar into memory, where workspaces are. Goal: below one second.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.job import job
from bench.report import median, need, table
from tests.support.preamp import running, until
from tests.support.repositories import new_repository

ROUNDS = 3
FOLDERS, FILES, SIZE = 4_500, 7, 34_000
MAKE = f"""import os, random
words = [''.join(random.choices('abcdefghijklmnopqrstuvwxyz', k=7)) for _ in range(3000)]
for folder in range({FOLDERS}):
    place = f'node_modules/@scope-{{folder % 50}}/package-{{folder}}/lib'
    os.makedirs(place)
    for name in range({FILES}):
        with open(f'{{place}}/module-{{name}}.js', 'w') as file:
            file.write(' '.join(random.choices(words, k={SIZE} // 8)))
"""
SPEC = """version: 1
frontend:
  phases:
    build:
      commands:
        - '[ -d node_modules ] || python3 make.py'
        - mkdir -p dist; find node_modules -type f | wc -l > dist/index.html
  artifacts: {baseDirectory: dist, files: ['**/*']}
  cache: {paths: ['node_modules/**/*']}
"""
LINE = re.compile(r"# Retrieved cache \((.*) MB\) in ([\d.]+) s \((overlay|unpacked)")


def main() -> None:
    for program in ("git", "bwrap", "zstd"):
        need(program)
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
        folder = Path(temporary)
        repository = new_repository(folder, {"make.py": MAKE, "amplify.yml": SPEC})
        data = folder / "data"
        with running(data, PREAMP_CACHE_SNAPSHOT_BYTES="0") as preamp:
            client = preamp.client()
            app_id = client.create_app(name="bench", repository=repository.url)["app"]["appId"]
            client.create_branch(appId=app_id, branchName="main")
            cold = job(client, app_id, "main")[0]
            archive = next((data / "cache").glob("*/*/*.tar.zst"))
            by_hand, unpacked, unpacked_jobs = [], [], []
            for _ in range(ROUNDS):
                by_hand.append(bare(archive))
                took, restored = warm(client, app_id, "unpacked")
                unpacked.append(restored)
                unpacked_jobs.append(took)
        with running(data) as preamp:
            client = preamp.client()
            began = time.perf_counter()
            job(client, app_id, "main")
            until(lambda: any((data / "cache" / ".snapshots").glob("[!.]*/about.json")), "the snapshot")
            ready = time.perf_counter() - began
            laid, laid_jobs = [], []
            for _ in range(ROUNDS):
                took, restored = warm(client, app_id, "overlay")
                laid.append(restored)
                laid_jobs.append(took)
    rows = [
        ("tar by hand", by_hand, ""),
        ("unpacked", unpacked, ""),
        ("overlay", laid, "1,000"),
    ]
    table(
        f"Restore of node_modules, {FOLDERS * FILES * SIZE / 1e9:.2f} GB in {FOLDERS * FILES:,} files, ms, "
        f"{ROUNDS} rounds",
        ("", "p50", "max", "of tar by hand", "goal"),
        [
            (name, median(took) * 1000, max(took) * 1000, median(took) / median(by_hand), goal)
            for name, took, goal in rows
        ],
    )
    table(
        "The whole job, s",
        ("", "p50"),
        [
            ("cold", cold),
            ("unpacked", median(unpacked_jobs)),
            ("overlay", median(laid_jobs)),
            ("until the next job has an overlay", ready),
        ],
    )


def warm(client: Any, app_id: str, how: str) -> tuple[float, float]:
    """Seconds of a whole job, and of the restore in it as its log tells."""
    took, _ = job(client, app_id, "main")
    newest = client.list_jobs(appId=app_id, branchName="main")["jobSummaries"][0]["jobId"]
    steps = client.get_job(appId=app_id, branchName="main", jobId=newest)["job"]["steps"]
    with urllib.request.urlopen(steps[0]["logUrl"]) as answer:
        log = answer.read().decode()
    found = LINE.search(log)
    assert found is not None, log
    assert found[3] == how, log
    return took, float(found[2])


def bare(archive: Path) -> float:
    """Seconds of the same by hand."""
    place = Path(tempfile.mkdtemp(prefix="preamp-bench-", dir="/dev/shm"))
    began = time.perf_counter()
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", place], check=True)
    took = time.perf_counter() - began
    shutil.rmtree(place)
    return took


if __name__ == "__main__":
    main()
