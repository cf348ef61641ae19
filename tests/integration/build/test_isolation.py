"""What a build with bad intentions can do: nothing to us, to other builds, or to the machine."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from preamp.build.cache import branch_folder
from preamp.build.errors import BuildFailed, BuildTimeout
from preamp.build.sandbox import Tier, cgroups, probe
from preamp.store.folder import DataFolder
from preamp.store.sealing import MasterKey
from tests.integration.build.support import FIRST_SLOT, Builder, Repository, processes_with, spec

pytestmark = pytest.mark.needs("git", "bwrap")
MIB = 1024 * 1024


@pytest.fixture
def data(tmp_path: Path, builder: Builder) -> DataFolder:
    """A data folder as a server has it; builds keep their things in it."""
    folder = DataFolder(tmp_path / "data")
    folder.make()
    MasterKey.load(folder.master_key)
    folder.database.write_text("the database")
    other = branch_folder(folder.cache, "dother", "main") / "0.tar.zst"
    other.parent.mkdir(parents=True)
    other.write_text("cache of another app")
    own = branch_folder(folder.cache, "dtest", "secret-branch") / "0.tar.zst"
    own.parent.mkdir(parents=True)
    own.write_text("cache of another branch")
    return folder


def test_keys_database_caches_and_mirrors_are_out_of_reach(
    repository: Repository, builder: Builder, data: DataFolder
) -> None:
    builder.folders = type(builder.folders)(
        mirrors=data.mirrors, caches=data.cache, toolchains=data.toolchains
    )
    look = f"""mkdir dist
    cat {data.master_key} {data.database} > dist/read 2>/dev/null
    ls -R {data.root} > dist/listed 2>/dev/null
    find / -xdev \\( -name master.key -o -name preamp.db -o -name '*.tar.zst' -o -name '*.git' \\) \\
      -not -path '/proc/*' -not -path '/usr/*' -not -path '*/src/.git' > dist/found 2>/dev/null
    ls -d /proc/1/root/* /proc/*/cwd/ > dist/roots 2>/dev/null
    ln -s {data.master_key} dist/link; ln -s {data.database} dist/link2
    true"""
    repository.commit({"amplify.yml": spec(look)})
    result = builder.run(repository.folder)
    assert {name: builder.output[name] for name in ("read", "listed", "found")} == {
        "read": "", "listed": "", "found": "",
    }  # fmt: skip
    assert str(data.root) not in builder.output["roots"]
    assert "link" not in builder.output, (
        "links out of the workspace are not followed when files are collected"
    )
    assert sum("left out" in warning for warning in result.warnings) == 2


def test_other_processes_can_be_neither_seen_nor_signalled(repository: Repository, builder: Builder) -> None:
    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    victim = subprocess.Popen(["sleep", mark], env={"SECRET_OF_VICTIM": "1"})
    try:
        attack = f"""mkdir dist
        cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' > dist/seen
        kill -9 {victim.pid} {os.getpid()} {os.getppid()} 2> dist/kill
        ls /proc | grep -c '^[0-9]' > dist/count
        cat /proc/{victim.pid}/cmdline 2>/dev/null >> dist/seen; true"""
        repository.commit({"amplify.yml": spec(attack)})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PREAMP_MASTER", "ours")
            builder.run(repository.folder)
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()
    assert mark not in builder.output["seen"]
    assert "SECRET_OF_VICTIM" not in builder.output["seen"]
    assert "PREAMP_MASTER" not in builder.output["seen"]
    assert builder.output["kill"].count("No such process") == 3
    assert int(builder.output["count"]) < 12


def test_a_fork_bomb_ends_with_its_job(repository: Repository, builder: Builder) -> None:
    if not re.match(r"cgroup v\d \(.*pids", builder.sandbox.report.limits):
        pytest.skip(f"processes cannot be limited here: {builder.sandbox.report.limits}")
    from preamp.build import compute

    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    bomb = f"bomb() {{ sleep {mark} & bomb | bomb & }}; echo going; bomb; wait; sleep {mark}"
    repository.commit({"amplify.yml": spec(bomb)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "PROCESSES", 150)
        with pytest.raises((BuildTimeout, BuildFailed)):
            builder.run(repository.folder, timeout_s=2.0)
    assert "going" in builder.log.text
    assert processes_with(mark) == []


@pytest.mark.parametrize("limited", [True, False], ids=["by-the-kernel", "by-the-watchdog"])
def test_too_much_memory_is_named(repository: Repository, builder: Builder, limited: bool) -> None:
    if limited and "memory" not in builder.sandbox.report.limits:
        pytest.skip(f"memory cannot be limited here: {builder.sandbox.report.limits}")
    if not limited:
        with pytest.MonkeyPatch.context() as patch:
            none = cgroups.Hierarchy(version=0, folders={}, missing="taken away by the test")
            patch.setattr(cgroups, "find", lambda: none)
            builder.sandbox = probe()
    hog = 'perl -e \'$_ = "a" x 3e8; print "filled\\n"; sleep 20\''
    repository.commit({"amplify.yml": spec(hog)})
    with pytest.raises(
        BuildFailed, match=r"Out of memory: the build used more than 0.1 GiB, .* Command `perl"
    ):
        builder.run(repository.folder, memory_bytes=128 * MIB)


@pytest.mark.parametrize("in_memory", [True, False], ids=["in-memory", "on-disk"])
def test_too_much_disk_is_named(
    repository: Repository, builder: Builder, tmp_path: Path, in_memory: bool
) -> None:
    if not in_memory:
        workspaces = tmp_path / "workspaces"
        builder.folders = type(builder.folders)(
            mirrors=builder.folders.mirrors,
            caches=builder.folders.caches,
            toolchains=builder.folders.toolchains,
            workspaces=workspaces,
        )
        for folder in (workspaces, *workspaces.parents):
            folder.mkdir(exist_ok=True)
            if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o011)
    fill = "for i in $(seq 40); do head -c 10000000 /dev/zero > ~/fill-$i; done; echo filled; sleep 20"
    repository.commit({"amplify.yml": spec(fill)})
    with pytest.raises(BuildFailed, match=r"Out of disk space: the build's files took more than 0.2 GB"):
        builder.run(repository.folder, disk_bytes=200 * 10**6)
    assert not builder.root.exists()


def test_deleted_files_count_as_long_as_they_are_open(repository: Repository, builder: Builder) -> None:
    hide = "exec 7> ~/hidden; rm ~/hidden; head -c 400000000 /dev/zero >&7; echo filled; sleep 20"
    repository.commit({"amplify.yml": spec(hide)})
    with pytest.raises(BuildFailed, match=r"Out of disk space: the build's files took more than 0.2 GB"):
        builder.run(repository.folder, disk_bytes=200 * 10**6)


def test_sparse_files_are_no_excess(repository: Repository, builder: Builder) -> None:
    repository.commit(
        {"amplify.yml": spec("truncate -s 100G ~/sparse; mkdir dist; echo > dist/x; sleep 1.2")}
    )
    builder.run(repository.folder, disk_bytes=200 * 10**6)


def test_nothing_outlives_a_cancelled_job(repository: Repository, builder: Builder) -> None:
    """Daemons with sessions of their own, deaf to every signal but one, and a process that respawns."""
    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    script = f"""cat > ~/stay <<'EOF'
trap '' TERM INT HUP QUIT
while :; do setsid nohup bash ~/again >/dev/null 2>&1 & sleep {mark}; done
EOF
    echo 'sleep {mark} & sleep 0.05; exec bash ~/stay' > ~/again
    for i in 1 2 3 4; do setsid nohup bash ~/stay >/dev/null 2>&1 & done
    sleep 0.3; echo started; sleep {mark}"""
    repository.commit({"amplify.yml": spec(script)})

    async def cancelled() -> float:
        task = asyncio.create_task(builder.build(repository.folder))
        await builder.log.contains("started\n")
        assert len(processes_with(mark)) > 4
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert processes_with(mark) == []
        return time.monotonic() - began

    took = asyncio.run(cancelled())
    print(f"gone within {took * 1000:.0f} ms")


def test_a_build_cannot_give_itself_more_rights(repository: Repository, builder: Builder) -> None:
    attack = """mkdir dist
    cp /bin/bash ~/bash && chmod u+s ~/bash; ~/bash -p -c 'id -u' > dist/uid
    sudo -n id -u > dist/sudo; su -c id 2>&1 | head -1 > dist/su
    mount -t tmpfs none /mnt 2> dist/mount; mknod ~/disk b 254 0 2> dist/mknod
    echo 1 > /proc/sys/kernel/sysrq; echo x > /sys/kernel/uevent_helper
    dmesg > dist/dmesg 2>/dev/null; ls /sys/fs/cgroup > dist/cgroup 2>/dev/null
    true"""
    repository.commit({"amplify.yml": spec(attack)})
    builder.run(repository.folder)
    assert builder.output["uid"].strip() not in {"", "0"}
    assert builder.output["sudo"].strip() != "0"
    assert "uid=0" not in builder.output["su"]
    assert builder.output["mount"] != ""
    assert builder.output["mknod"] != ""
    assert builder.output["cgroup"] == ""


@pytest.mark.parametrize("tier", [Tier.BWRAP_SETPRIV, Tier.UNSHARE, Tier.LANDLOCK])
def test_weaker_tiers_keep_keys_and_caches_too(
    repository: Repository, builder: Builder, data: DataFolder, tier: Tier
) -> None:
    from preamp.build.errors import SandboxUnavailable

    try:
        builder.sandbox = probe(only=tier)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    others = branch_folder(data.cache, "dother", "main") / "0.tar.zst"
    read = f"mkdir dist; cat {data.master_key} {data.database} {others} > dist/read"
    look = f"{read}; echo x > {data.root}/new; true"
    repository.commit({"amplify.yml": spec(look)})
    builder.run(repository.folder, slot=FIRST_SLOT + 2)
    assert builder.output["read"] == ""
    assert not (data.root / "new").exists()
