"""Caches that are laid under the workspace instead of being unpacked into it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from preamp.build import mounts
from preamp.build.cache import clear
from preamp.build.errors import BuildFailed
from preamp.build.sandbox import Tier, probe
from preamp.build.snapshots import FOLDER, SLOT, SnapshotError, make_snapshot, snapshots
from tests.integration.build.support import FIRST_SLOT, Builder, Repository, spec

pytestmark = [
    pytest.mark.needs("git", "bwrap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root"),
]
COUNT = """mkdir -p dist deps/sub ~/.tool
echo x >> deps/sub/count; echo x >> ~/.tool/count
wc -l < deps/sub/count > dist/deps; wc -l < ~/.tool/count > dist/home"""
OTHER_USER = 61999
PATHS = "  cache:\n    paths: ['deps/**/*', '~/.tool/**/*']\n"


@pytest.fixture(autouse=True)
def own_mounts() -> None:
    """Of the process that runs the tests; the other tests do not mind."""
    mounts.isolate()
    if refusal := mounts.refusal():
        pytest.skip(refusal)


def archives(builder: Builder) -> list[Path]:
    return sorted(builder.folders.caches.glob("*/*/*.tar.zst"))


def unpack(builder: Builder, max_bytes: int = 10**9) -> list[int | None]:
    """What the worker does after each job."""

    async def make() -> list[int | None]:
        return [
            await make_snapshot(
                archive, sandbox=builder.sandbox, folders=builder.folders, max_bytes=max_bytes
            )
            for archive in archives(builder)
        ]

    return asyncio.run(make())


def counts(builder: Builder) -> tuple[int, int]:
    return int(builder.output["deps"]), int(builder.output["home"])


def content(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Of every file: owner, mode, time and bytes."""
    return {
        str(path.relative_to(folder)): (facts.st_uid, facts.st_mode, facts.st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and (facts := path.stat())
    }


def trees(builder: Builder) -> dict[str, tuple[int, int, int, bytes]]:
    return {
        name: facts
        for snapshot in snapshots(builder.folders.caches)
        for name, facts in content(snapshot.tree).items()
    }


def leftovers(builder: Builder) -> list[str]:
    return [path.name for path in (builder.folders.caches / FOLDER).glob(".*")]


def test_a_cache_lies_under_the_workspace(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    for expected in (2, 3):
        assert unpack(builder)[0]
        assert unpack(builder) == [None], "once is enough"
        builder.run(repository.folder)
        assert counts(builder) == (expected, expected)
        assert "(overlay)" in builder.log.text
        assert "# Created cache artifact" in builder.log.text, "what is cached next is the merged view"
    assert len(snapshots(builder.folders.caches)) == 1
    assert leftovers(builder) == []
    assert not builder.root.exists()
    assert str(builder.root) not in Path("/proc/self/mountinfo").read_text()


def test_it_is_unpacked_where_there_is_no_copy_and_the_log_says_so(
    repository: Repository, builder: Builder
) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    builder.run(repository.folder)
    assert "(unpacked, for there is no snapshot of it yet)" in builder.log.text
    unpack(builder)
    archives(builder)[0].with_suffix(".content").write_text("something else")
    builder.run(repository.folder)
    assert "(unpacked, for there is no snapshot of it yet)" in builder.log.text, "it is of another archive"
    assert counts(builder) == (3, 3)


FILL = """mkdir -p dist; echo > dist/x; [ -d deps ] && exit 0
mkdir -p deps/a/b deps/c; echo 1 | tee deps/a/b/f deps/c/f > deps/g; ln -s g deps/l; exit 0"""
CHANGE = """echo 2 >> deps/a/b/f; chmod 700 deps/g; mv deps/c deps/renamed; rm -r deps/a/b; mkdir deps/a/b
rm deps/l; echo 3 > deps/new; touch -d 2001-01-01 deps/g; ls deps/a/b > dist/b; ls deps > dist/deps"""


def test_a_build_does_with_it_what_it_wants(repository: Repository, builder: Builder) -> None:
    """Every change there is, by another user than the one who unpacked: none of them reaches the snapshot."""
    rest = "  cache:\n    paths: ['deps/**/*']\n"
    repository.commit({"amplify.yml": spec(f"({FILL})", rest=rest)})
    builder.run(repository.folder)
    unpack(builder)
    before = trees(builder)
    owner = builder.sandbox.owner(SLOT)
    assert owner is not None
    assert {facts[0] for facts in before.values()} == {owner[0]}
    repository.commit({"amplify.yml": spec(f"({FILL})", CHANGE, rest=rest)})
    builder.run(repository.folder, slot=FIRST_SLOT + 1)
    assert "(overlay)" in builder.log.text
    assert (builder.output["b"], builder.output["deps"].split()) == ("", ["a", "g", "new", "renamed"])
    assert trees(builder) == before


def test_a_renamed_folder_of_the_cache_may_be_the_artifact(repository: Repository, builder: Builder) -> None:
    rest = "  cache:\n    paths: ['deps/**/*']\n"
    command = (
        "mkdir -p deps/site; date +%s%N >> deps/site/f; mv deps/site out; mkdir deps/site; cp out/f deps/site"
    )
    repository.commit({"amplify.yml": spec(command, base="out", rest=rest)})
    builder.run(repository.folder)
    unpack(builder)
    builder.run(repository.folder)
    assert "(overlay)" in builder.log.text
    assert len(builder.output["f"].splitlines()) == 2


def test_a_failed_build_changes_nothing(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    unpack(builder)
    before = trees(builder)
    repository.commit({"amplify.yml": spec(COUNT, "rm -rf deps; false", rest=PATHS)})
    with pytest.raises(BuildFailed):
        builder.run(repository.folder)
    assert "(overlay)" in builder.log.text
    assert trees(builder) == before
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    assert counts(builder) == (2, 2)


def test_a_killed_build_leaves_neither_mounts_nor_changes(
    repository: Repository, builder: Builder, tmp_path: Path
) -> None:
    """The whole process dies, as a worker might: its mounts die with it, and the snapshot is free."""
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    unpack(builder)
    before = trees(builder)
    repository.commit({"amplify.yml": spec(COUNT, "rm -rf deps; echo at the end; sleep 600", rest=PATHS)})
    program = (
        "import sys; from pathlib import Path; from preamp.build import mounts; mounts.isolate()\n"
        "from tests.integration.build.support import Builder\n"
        "b = Builder(Path(sys.argv[1])); b.log.write = lambda data: print(data.decode(), flush=True)\n"
        "b.run(sys.argv[2])\n"
    )
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(builder.folders.caches.parent), str(repository.folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.endswith(" at the end\n"):
            break
    assert "(overlay)" in said
    mounted = Path(f"/proc/{process.pid}/mountinfo").read_text()
    place = next(
        line.split()[4] for line in mounted.splitlines() if " - overlay " in line and "preamp-build" in line
    )
    assert place not in Path("/proc/self/mountinfo").read_text()
    process.kill()
    process.wait()
    process.stdout.close()
    assert trees(builder) == before
    assert clear(builder.folders.caches, "dtest") > 0
    assert leftovers(builder) == []
    subprocess.run(["rm", "-rf", str(Path(place).parent)], check=True)


def test_branches_do_not_share(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    repository.git("branch", "other")
    builder.run(repository.folder)
    unpack(builder)
    builder.run(repository.folder, branch="other")
    assert counts(builder) == (1, 1)
    unpack(builder)
    builder.run(repository.folder, branch="other")
    assert counts(builder) == (2, 2)
    builder.run(repository.folder)
    assert counts(builder) == (2, 2)


def test_a_new_branch_reads_the_snapshot_of_production(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    repository.git("branch", "pr-1")
    builder.run(repository.folder)
    unpack(builder)
    before = trees(builder)
    builder.run(repository.folder, branch="pr-1", fallback_branch="main")
    assert "(overlay)" in builder.log.text
    assert counts(builder) == (2, 2)
    assert trees(builder) == before


def test_what_the_repository_has_too_is_unpacked_over_it(repository: Repository, builder: Builder) -> None:
    """An archive wins over the checkout; an upper layer would win over the lower one."""
    rest = "  cache:\n    paths: ['deps/**/*']\n"
    command = "echo changed > deps/tracked; cp -r deps dist"
    repository.commit({"amplify.yml": spec(command, rest=rest), "deps/tracked": "from git\n"})
    builder.run(repository.folder)
    unpack(builder)
    repository.commit({"amplify.yml": spec("cp -r deps dist", rest=rest)})
    builder.run(repository.folder)
    assert "for it holds src/deps/tracked, which the repository has too" in builder.log.text
    assert builder.output["tracked"] == "changed\n"


def test_clearing_leaves_a_build_what_it_uses(repository: Repository, builder: Builder) -> None:
    wait = "echo waiting; for i in $(seq 600); do [ -e ~/go ] && break; sleep 0.05; done"
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    unpack(builder)
    repository.commit({"amplify.yml": spec(wait, COUNT, rest=PATHS)})

    async def both() -> int:
        task = asyncio.create_task(builder.build(repository.folder))
        await builder.log.contains(" waiting\n")
        size = clear(builder.folders.caches, "dtest")
        assert snapshots(builder.folders.caches) == []
        assert len(leftovers(builder)) == 1, "it is in use"
        (builder.root / "tree/files/home/go").touch()
        await task
        return size

    assert asyncio.run(both()) > 0
    assert counts(builder) == (2, 2)
    clear(builder.folders.caches, "dtest", "main")
    assert leftovers(builder) == []


def test_snapshots_are_bounded(repository: Repository, builder: Builder) -> None:
    big = "mkdir -p deps dist; echo > dist/x; head -c 300000 /dev/zero > deps/big"
    rest = "  cache:\n    paths: ['deps/**/*']\n"
    repository.commit({"amplify.yml": spec(big, rest=rest)})
    for branch in ("a", "b", "c"):
        repository.git("branch", branch)
        builder.run(repository.folder, branch=branch)
        size = max(filter(None, unpack(builder, max_bytes=700_000)))
        assert 300_000 <= size < 310_000
        held = snapshots(builder.folders.caches)
        assert sum(snapshot.size for snapshot in held) <= 700_000
        os.utime(held[0].folder / "lock", (0, 0))
    assert unpack(builder, max_bytes=100_000) == [None] * 3 or len(snapshots(builder.folders.caches)) == 2
    clear(builder.folders.caches, "dtest")
    assert list((builder.folders.caches / FOLDER).iterdir()) == []


def test_an_archive_that_does_not_unpack_becomes_no_snapshot(
    repository: Repository, builder: Builder
) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    archives(builder)[0].write_bytes(b"rubbish")
    with pytest.raises(SnapshotError, match="could not be unpacked"):
        unpack(builder)
    assert snapshots(builder.folders.caches) == []
    assert leftovers(builder) == []


def test_a_small_archive_of_a_large_file(
    repository: Repository, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preamp.build.watchdog.PERIOD_S", 0.01)
    big = "mkdir -p deps dist; echo > dist/x; truncate -s 1G deps/big"
    repository.commit({"amplify.yml": spec(big, rest="  cache:\n    paths: ['deps/**/*']\n")})
    builder.run(repository.folder)
    assert archives(builder)[0].stat().st_size < 1_000_000
    with pytest.raises(SnapshotError, match=r"could not be unpacked: ended by -9; it may take 0\.1 GB"):
        unpack(builder, max_bytes=100_000_000)
    assert leftovers(builder) == []


@pytest.mark.parametrize("tier", [Tier.BWRAP_SETPRIV, Tier.UNSHARE])
def test_in_other_sandboxes(repository: Repository, builder: Builder, tier: Tier) -> None:
    builder.sandbox = probe(only=tier)
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    unpack(builder)
    builder.run(repository.folder)
    assert "(overlay)" in builder.log.text
    assert counts(builder) == (2, 2)


@pytest.mark.parametrize(
    "fill",
    ["head -c 400000000 /dev/zero > ~/filled", "exec 7> ~/f; rm ~/f; head -c 400000000 /dev/zero >&7"],
    ids=["files", "deleted files"],
)
def test_the_disk_is_bounded(repository: Repository, builder: Builder, fill: str) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    unpack(builder)
    repository.commit({"amplify.yml": spec(fill, "sleep 20", rest=PATHS)})
    with pytest.raises(BuildFailed, match=r"Out of disk space: the build's files took more than 0.2 GB"):
        builder.run(repository.folder, disk_bytes=200 * 10**6)
    assert "(overlay)" in builder.log.text


def test_builds_cannot_see_snapshots(repository: Repository, builder: Builder) -> None:
    rest = "  cache:\n    paths: ['deps/**/*']\n"
    look = "mkdir -p dist deps; echo > deps/x; find / -name about.json > dist/found 2> /dev/null || true"
    repository.commit({"amplify.yml": spec(look, rest=rest)})
    builder.run(repository.folder)
    unpack(builder)
    builder.run(repository.folder)
    assert "(overlay)" in builder.log.text
    assert FOLDER not in builder.output["found"]


WITHOUT_ROOT = """
import asyncio, sys
from pathlib import Path
from preamp.build import mounts
mounts.isolate()
print(mounts.refusal())
from tests.integration.build import test_overlay as overlay
from tests.integration.build.support import Builder, Repository, spec
builder, repository = Builder(Path(sys.argv[1], "state")), Repository(Path(sys.argv[1], "repository"))
repository.commit({"amplify.yml": spec(overlay.COUNT, rest=overlay.PATHS)})
builder.run(repository.folder)
change = "mv deps more; rm -r more/sub; mkdir more/sub; mv more deps"
repository.commit({"amplify.yml": spec(overlay.COUNT, change, rest=overlay.PATHS)})
print(overlay.unpack(builder)[0] is not None)
before = overlay.trees(builder)
builder.run(repository.folder)
print(overlay.counts(builder), "(overlay)" in builder.log.text, builder.root.exists())
print(before == overlay.trees(builder) != {}, builder.sandbox.report.tier)
"""


def test_without_root() -> None:
    """As an ordinary user, in a process of its own: there is no way back out of a user namespace."""
    place = Path("/var/tmp") / f"preamp-test-rootless-{os.getpid()}"
    place.mkdir()
    user = OTHER_USER if os.geteuid() == 0 else None
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": ":".join(filter(None, sys.path)),
        "HOME": str(place),
    }

    def run(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, *arguments],
            cwd=Path(__file__).parents[3],
            env=environment,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            capture_output=True,
            text=True,
            timeout=50,
        )

    try:
        if user:
            os.chown(place, user, user)
        found = [sys.executable, "/usr/bin/python{}.{}".format(*sys.version_info)]
        python = next((name for name in found if works(run, name)), None)
        if python is None:
            pytest.skip("no other user may run this Python")
        done = run(python, "-c", WITHOUT_ROOT, str(place))
        assert done.returncode == 0, done.stderr
        refusal, *lines = done.stdout.splitlines()
        if refusal != "None":
            pytest.skip(refusal)
        assert lines == ["True", "(2, 2) True False", "True bwrap-userns"]
    finally:
        subprocess.run(["rm", "-rf", place, f"/dev/shm/preamp-{OTHER_USER}"], check=True)


def works(run: Callable[..., subprocess.CompletedProcess[str]], python: str) -> bool:
    try:
        return run(python, "-c", "import pydantic_core, tests").returncode == 0
    except OSError:
        return False
