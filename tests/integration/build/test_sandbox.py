"""Every tier that this machine offers, without the rest of a build."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.build.errors import SandboxUnavailable
from preamp.build.sandbox import Launch, Limits, Sandbox, Tier, probe
from tests.integration.build.support import FIRST_SLOT, Builder, Repository, processes_with, spec


def sandbox_of(tier: Tier) -> Sandbox:
    try:
        return probe(only=tier, insecure_no_sandbox=True)
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(params=list(Tier), ids=lambda tier: tier.value)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return sandbox_of(request.param)


@pytest.fixture
def workspace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="preamp-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    (folder / "files" / "tmp").mkdir(parents=True)
    yield folder / "files"
    shutil.rmtree(folder)


async def run(
    sandbox: Sandbox, workspace: Path, script: str, *, kill_at: str | None = None
) -> tuple[int, str]:
    owner = sandbox.owner(FIRST_SLOT)
    if owner:
        for folder in (workspace, workspace / "tmp"):
            os.chown(folder, *owner)
    output = workspace.parent / "output"
    null = os.open("/dev/null", os.O_RDONLY)
    with output.open("wb") as file:
        running = await sandbox.start(
            Launch(
                argv=("/bin/bash", "-c", script),
                environment={"PATH": "/usr/bin:/bin", "GIVEN": "yes"},
                workspace=workspace,
                cwd=str(sandbox.inside(workspace)),
                slot=FIRST_SLOT,
                stdin=null,
                stdout=file.fileno(),
                stderr=file.fileno(),
                limits=Limits(processes=200),
            )
        )
    os.close(null)
    if kill_at is not None:
        for _ in range(500):
            if kill_at in output.read_text():
                break
            await asyncio.sleep(0.01)
        running.kill()
    return await running.wait(), output.read_text()


def test_exit_code_environment_and_workspace(sandbox: Sandbox, workspace: Path) -> None:
    code, output = asyncio.run(
        run(sandbox, workspace, 'echo "$GIVEN"; echo made > file; env | wc -l; exit 5')
    )
    assert code == 5
    assert output.splitlines()[0] == "yes"
    assert (workspace / "file").read_text() == "made\n"
    assert int(output.splitlines()[1]) < 8


def test_nothing_survives(sandbox: Sandbox, workspace: Path) -> None:
    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    script = f"for i in 1 2 3; do setsid nohup sleep {mark} >/dev/null 2>&1 & done; sleep 0.1; exit 0"
    assert asyncio.run(run(sandbox, workspace, script))[0] == 0
    assert processes_with(mark) == []


def test_kill(sandbox: Sandbox, workspace: Path) -> None:
    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    script = f"trap : TERM; (setsid nohup sleep {mark} >/dev/null 2>&1 &); echo up; sleep {mark}"
    code, _ = asyncio.run(run(sandbox, workspace, script, kill_at="up"))
    assert code != 0
    assert processes_with(mark) == []


@pytest.mark.parametrize("tier", [tier for tier in Tier if tier is not Tier.NONE])
def test_files_of_others_are_out_of_reach(tier: Tier, workspace: Path, tmp_path: Path) -> None:
    sandbox = sandbox_of(tier)
    secret = workspace.parent / "secret"
    secret.write_text("top secret")
    secret.chmod(0o644)
    script = f"""cat /etc/shadow {secret}; ls /root {tmp_path}
    touch /usr/x {secret.parent}/x; cat /proc/{os.getpid()}/environ"""
    _, output = asyncio.run(run(sandbox, workspace, script))
    assert "top secret" not in output
    assert "root:" not in output
    assert "PATH=" not in output
    assert not (secret.parent / "x").exists()


@pytest.mark.needs("git")
def test_a_build_in_every_tier(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    repository.commit({"amplify.yml": spec("mkdir dist; cd dist; export A=1", "echo $A > x; echo out")})
    builder = Builder(tmp_path / "state", sandbox)
    builder.run(repository.folder, slot=FIRST_SLOT + 1)
    assert builder.output == {"x": "1\n"}
    assert f"(tier {sandbox.report.tier})" in builder.log.text


def test_no_sandbox_needs_permission() -> None:
    with pytest.raises(SandboxUnavailable, match="insecure_no_sandbox"):
        probe(only=Tier.NONE)


def test_processes_are_limited(workspace: Path) -> None:
    sandbox = probe()
    if not re.match(r"cgroup v\d \(.*pids", sandbox.report.limits):
        pytest.skip(f"processes cannot be limited here: {sandbox.report.limits}")
    bomb = "for i in $(seq 400); do sleep 60 & done 2>&1 | head -1; echo reached"
    _, output = asyncio.run(run(sandbox, workspace, bomb, kill_at="Resource temporarily unavailable"))
    assert "Resource temporarily unavailable" in output


def test_no_control_groups_are_left(workspace: Path) -> None:
    sandbox = probe()
    asyncio.run(run(sandbox, workspace, "true"))
    left = list(Path("/sys/fs/cgroup").rglob(f"preamp-{os.getpid()}-*"))
    assert left == []
