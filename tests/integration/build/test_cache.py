from __future__ import annotations

from pathlib import Path

import pytest

from preamp.build.cache import clear
from preamp.build.errors import BuildFailed
from tests.integration.build.support import Builder, Repository, spec

pytestmark = pytest.mark.needs("git", "bwrap")

COUNT = """mkdir -p dist deps/sub deps/skip ~/.tool
echo x >> deps/sub/count; echo x >> ~/.tool/count; echo x >> deps/skip/count
wc -l < deps/sub/count > dist/deps; wc -l < ~/.tool/count > dist/home; wc -l < deps/skip/count > dist/skip"""
PATHS = "  cache:\n    paths: ['deps/**/*', '~/.tool/**/*', '!deps/skip', 'none/**/*']\n"


def counts(builder: Builder) -> tuple[int, int, int]:
    deps, home, skip = (int(builder.output[name]) for name in ("deps", "home", "skip"))
    return deps, home, skip


def archives(builder: Builder) -> list[Path]:
    return [path for path in builder.folders.caches.rglob("*.tar.zst") if path.is_file()]


def test_cached_paths_come_back(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    assert counts(builder) == (1, 1, 1)
    assert "this build starts cold" in builder.log.text
    builder.run(repository.folder)
    assert counts(builder) == (2, 2, 1)
    assert "# Retrieved cache" in builder.log.text
    assert len(archives(builder)) == 1


def test_a_cache_that_did_not_change_is_not_saved_again(repository: Repository, builder: Builder) -> None:
    once = (
        "mkdir -p dist; [ -d deps ] || { mkdir deps; echo 1 > deps/x; ln -s x deps/y; }; cat deps/x > dist/x"
    )
    rest = "  cache:\n    paths: ['deps/**/*']\n"
    repository.commit({"amplify.yml": spec(once, rest=rest)})
    builder.run(repository.folder)
    archive = next(path for path in archives(builder) if path.suffix == ".zst")
    saved = archive.stat().st_mtime_ns
    builder.run(repository.folder)
    assert builder.output == {"x": "1\n"}
    assert "nothing in the cache has changed" in builder.log.text
    assert archive.stat().st_mtime_ns == saved
    for change in ("echo 22 > deps/x", "chmod +x deps/x", "ln -sfn z deps/y", "touch deps/new"):
        repository.commit({"amplify.yml": spec(once, change, rest=rest)})
        builder.run(repository.folder)
        assert "# Created cache artifact" in builder.log.text, change


def test_branches_do_not_share(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    repository.git("branch", "other")
    builder.run(repository.folder)
    builder.run(repository.folder, branch="other")
    assert counts(builder) == (1, 1, 1)
    assert clear(builder.folders.caches, "dtest", "other") > 0
    assert len(archives(builder)) == 1


def test_a_failed_build_saves_nothing(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    before = archives(builder)[0].read_bytes()
    repository.commit({"amplify.yml": spec(COUNT, "false", rest=PATHS)})
    with pytest.raises(BuildFailed):
        builder.run(repository.folder)
    assert archives(builder)[0].read_bytes() == before


@pytest.mark.parametrize("damage", ["rubbish", "cut"])
def test_a_damaged_cache_means_a_cold_build(repository: Repository, builder: Builder, damage: str) -> None:
    big = "head -c 3000000 /dev/urandom > deps/big"
    repository.commit({"amplify.yml": spec(COUNT, big, rest=PATHS)})
    builder.run(repository.folder)
    archive = archives(builder)[0]
    data = archive.read_bytes()
    archive.write_bytes(b"rubbish" if damage == "rubbish" else data[: len(data) // 2])
    builder.run(repository.folder)
    assert counts(builder) == (1, 1, 1)
    assert "The cache is damaged" in builder.log.text
    builder.run(repository.folder)
    assert counts(builder) == (2, 2, 1)


def test_paths_outside_are_named(repository: Repository, builder: Builder) -> None:
    rest = "  cache:\n    paths: ['../../etc/**/*', '/root/.cache/**/*']\n"
    repository.commit({"amplify.yml": spec("mkdir dist; echo > dist/x", rest=rest)})
    result = builder.run(repository.folder)
    assert sum("lies outside of the workspace" in warning for warning in result.warnings) == 2
    assert archives(builder) == []


def test_paths_may_climb_inside_of_the_repository(repository: Repository, builder: Builder) -> None:
    yml = """applications:
- appRoot: apps/web
  frontend:
    phases: {build: {commands: ['T=../../.tool; mkdir -p dist $T; echo x >> $T/count; cp $T/count dist']}}
    artifacts: {baseDirectory: dist}
    cache: {paths: ['../../.tool/**/*', '../../../home/**/*']}
"""
    repository.commit({"amplify.yml": yml, "apps/web/x": ""})
    builder.run(repository.folder)
    result = builder.run(repository.folder)
    assert builder.output["count"] == "x\nx\n"
    assert ["home" in warning for warning in result.warnings] == [True]


def test_a_branch_begins_with_the_cache_of_production_and_never_writes_it(
    repository: Repository, builder: Builder
) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    repository.git("branch", "pr-1")
    builder.run(repository.folder)
    before = archives(builder)[0].read_bytes()
    for expected in (2, 3):
        builder.run(repository.folder, branch="pr-1", fallback_branch="main")
        assert counts(builder)[0] == expected
    assert len(archives(builder)) == 2
    assert before in [path.read_bytes() for path in archives(builder)]
    builder.run(repository.folder)
    assert counts(builder)[0] == 2, "production does not see what another branch cached"


def test_a_build_cannot_spoil_the_cache_of_production(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    archive = archives(builder)[0]
    archive.write_bytes(b"rubbish")
    repository.git("branch", "pr-1")
    builder.run(repository.folder, branch="pr-1", fallback_branch="main")
    assert counts(builder)[0] == 1
    assert archive.read_bytes() == b"rubbish", "only the owner removes it"


def test_a_link_in_a_cache_path_is_not_followed(repository: Repository, builder: Builder) -> None:
    command = "mkdir dist; echo > dist/x; ln -sfn /etc deps; ln -sf /etc/passwd file"
    rest = "  cache:\n    paths: ['deps/*/x', 'file', 'deps/passwd']\n"
    repository.commit({"amplify.yml": spec(command, rest=rest)})
    builder.run(repository.folder)
    builder.run(repository.folder)
    assert "root:" not in builder.log.text


def test_without_the_zstd_program(
    repository: Repository, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from preamp.build import cache

    monkeypatch.setattr(cache.shutil, "which", lambda _: None)
    repository.commit({"amplify.yml": spec(COUNT, rest=PATHS)})
    builder.run(repository.folder)
    builder.run(repository.folder)
    assert counts(builder) == (2, 2, 1)
