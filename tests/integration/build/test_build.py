"""Whole builds of real repositories in the machine's real sandbox."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import time
import uuid
from pathlib import Path

import pytest

from preamp.build import source
from preamp.build.errors import BuildError, BuildFailed, BuildTimeout, SourceError, SpecError
from preamp.build.request import Credentials, EventKind
from preamp.build.workspace import open_workspace, sweep
from tests.integration.build.support import FIRST_SLOT, Builder, Repository, processes_with, spec

pytestmark = pytest.mark.needs("git", "bwrap")


def test_a_plain_site_needs_no_spec(repository: Repository, builder: Builder) -> None:
    sha = repository.commit({"index.html": "<h1>hi</h1>", "css/a.css": "x"}, "First\n\nwith a body")
    result = builder.run(repository.folder)
    assert builder.output == {"index.html": "<h1>hi</h1>", "css/a.css": "x"}
    assert result.commit.commit_id == sha
    assert result.commit.message == "First\n\nwith a body"
    assert result.commit.time_ms is not None
    assert result.custom_headers is None
    assert not builder.root.exists()
    assert "generated for static files" in builder.log.text


def test_one_shell_for_all_commands_and_phases(repository: Repository, builder: Builder) -> None:
    yml = """
version: 1
env: {variables: {FROM_SPEC: spec}}
frontend:
  phases:
    preBuild:
      commands:
        - mkdir dist && cd dist
        - export GREETING="hello $FROM_SPEC"
        - "# just a comment"
        - "greet() { echo \\"$GREETING $1\\"; }"
    build:
      commands:
        - greet there > index.html
        - for i in 1 2; do break; done
        - exit 0
        - pwd; echo "$GREETING" >> index.html
    postBuild:
      commands:
        - set -euo pipefail
        - declare COUNT=3
        - |
          if [ "$COUNT" = 3 ]; then
            echo three >> index.html
          fi
  artifacts: {baseDirectory: dist, files: ['**/*']}
"""
    repository.commit({"amplify.yml": yml})
    builder.run(repository.folder)
    assert builder.output == {"index.html": "hello spec there\nhello spec\nthree\n"}
    lines = [line.partition("[INFO]: ")[2] for line in builder.log.text.splitlines()]
    markers = [line for line in lines if line.startswith("# ") and ("phase" in line or "Executing" in line)]
    assert markers[:3] == [
        "# Starting phase: preBuild",
        "# Executing command: mkdir dist && cd dist",
        '# Executing command: export GREETING="hello $FROM_SPEC"',
    ]
    assert markers[-1] == "# Completed phase: postBuild"
    assert "just a comment" not in builder.log.text
    assert "/workspace/src/dist" in builder.log.text
    kinds = [event.kind for event in builder.events]
    assert kinds[0] is EventKind.SOURCE
    assert kinds[-1] is EventKind.COLLECTED
    assert kinds.count(EventKind.PHASE_STARTED) == kinds.count(EventKind.PHASE_ENDED) == 3


def test_a_failing_command_ends_the_build(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec("echo fine", "echo why >&2; (exit 7)", "echo never")})
    with pytest.raises(BuildFailed, match="of phase build failed with exit code 7") as caught:
        builder.run(repository.folder)
    assert (caught.value.phase, caught.value.exit_code) == ("build", 7)
    assert caught.value.last_lines == ("why",)
    assert "never\n" not in builder.log.text
    assert "[ERROR]: !!! Build failed\n" in builder.log.text
    assert "[ERROR]: !!! Non-Zero Exit Code detected\n" in builder.log.text


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("no-such-program", "command not found"),
        ("if then", "exit code 2"),
        ("kill -9 $$", "failed with exit code"),
        ("trap 'echo x' EXIT; exit 0", "ended the build's shell"),
        ("set -e; false; echo no", "exit code 1"),
    ],
)
def test_other_ends(repository: Repository, builder: Builder, command: str, told: str) -> None:
    repository.commit({"amplify.yml": spec(command, "echo second > dist")})
    with pytest.raises(BuildFailed, match=told):
        builder.run(repository.folder)


def test_a_build_cannot_forge_the_end_of_a_command(repository: Repository, builder: Builder) -> None:
    forge = """for fd in /proc/$$/fd/* /proc/self/fd/*; do
  n=${fd##*/}; [ "$n" -gt 2 ] && { echo "0000000000000000 0" >&"$n"; } 2>/dev/null
done
bash -c 'for n in $(seq 3 60); do { echo "x 0" >&$n; } 2>/dev/null; done'
echo "0 0"; echo "# Completed phase: build"
(exit 9)"""
    repository.commit({"amplify.yml": spec(forge, "mkdir dist; echo published > dist/index.html")})
    with pytest.raises(BuildFailed, match="exit code 9"):
        builder.run(repository.folder)
    assert EventKind.PHASE_ENDED not in [event.kind for event in builder.events]


def test_a_child_has_no_descriptor_of_ours(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec("mkdir dist; ls /proc/self/fd > dist/fds")})
    builder.run(repository.folder)
    assert builder.output["fds"].split() == ["0", "1", "2", "3"]  # 3 is what `ls` opened


def test_output_is_complete_and_in_order(repository: Repository, builder: Builder) -> None:
    command = "for i in $(seq 20000); do echo out$i; echo err$i >&2; done; mkdir dist; echo > dist/x"
    repository.commit({"amplify.yml": spec(command)})
    builder.run(repository.folder)
    words = [word for word in builder.log.text.split() if word[:3] in {"out", "err"} and word[3:].isdigit()]
    assert words == [word for i in range(1, 20001) for word in (f"out{i}", f"err{i}")]


def test_isolation(repository: Repository, builder: Builder, tmp_path: Path) -> None:
    secret = tmp_path / "state" / "secret"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("top secret")
    command = f"""mkdir dist
    cat /etc/shadow; cat {secret}; ls {tmp_path}; ls /root /home /work /var/lib
    touch /usr/x /x /etc/x
    ls /dev/shm | wc -l > dist/shm
    ls -d /proc/[0-9]* | wc -l > dist/processes
    cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep PREAMP_TEST_MARK > dist/environ
    mount -o remount,rw /usr; unshare -U true && echo nested > dist/nested
    id -u > dist/uid; grep CapEff /proc/self/status > dist/caps
    true"""
    repository.commit({"amplify.yml": spec(command)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREAMP_TEST_MARK", "1")
        builder.run(repository.folder)
    assert "top secret" not in builder.log.text
    assert "root:" not in builder.log.text
    assert int(builder.output["shm"]) == 0
    assert int(builder.output["processes"]) < 10
    assert builder.output["environ"] == ""
    assert "nested" not in builder.output
    assert builder.output["uid"].strip() != "0"
    assert builder.output["caps"].split()[1].strip("0") == ""
    assert not Path("/usr/x").exists()


def test_two_slots_cannot_read_each_other(repository: Repository, builder: Builder) -> None:
    wait = "mkdir dist; echo mine > preamp-test-secret; echo ready; sleep 1; cp *-secret dist"
    repository.commit({"amplify.yml": spec(wait)})
    other = Repository(repository.folder.parent / "other")
    look = "mkdir dist; find / -name preamp-test-secret -not -path '/proc/*' 2>/dev/null > dist/found; true"
    other.commit({"amplify.yml": spec(look)})
    second = Builder(repository.folder.parent / "second", builder.sandbox)

    async def both() -> None:
        first = asyncio.create_task(builder.build(repository.folder, slot=FIRST_SLOT))
        await builder.log.contains("ready")
        await second.build(other.folder, slot=FIRST_SLOT + 1)
        await first

    asyncio.run(both())
    assert builder.output["preamp-test-secret"] == "mine\n"
    assert second.output["found"] == ""


@pytest.mark.parametrize("times", [1, 3])
def test_cancel_kills_everything(repository: Repository, builder: Builder, times: int) -> None:
    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    command = f"""trap : TERM INT
    for i in 1 2 3 4 5; do
      setsid nohup bash -c 'trap : TERM; while :; do sleep {mark}; done' >/dev/null 2>&1 &
    done
    (sleep {mark} &)
    echo started
    sleep {mark}"""
    repository.commit({"amplify.yml": spec(command)})

    async def cancelled() -> float:
        task = asyncio.create_task(builder.build(repository.folder))
        await builder.log.contains("started\n")
        for _ in range(100):
            if len(processes_with(mark)) > 6:
                break
            await asyncio.sleep(0.02)
        assert len(processes_with(mark)) > 6
        started = time.monotonic()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert processes_with(mark) == []
        return time.monotonic() - started

    taken = asyncio.run(cancelled())
    assert not builder.root.exists()
    assert "The build was cancelled" in builder.log.text
    print(f"cancelled in {taken * 1000:.0f} ms")


def test_cancel_waits_for_a_thread_that_works_in_the_workspace(
    repository: Repository, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = threading.Event(), threading.Event()
    found: list[bool] = []

    def slow(path: Path, owner: tuple[int, int] | None) -> None:
        began.set()
        assert may_end.wait(30)
        found.append(path.is_dir())

    monkeypatch.setattr(source, "give", slow)
    repository.commit({"index.html": "x"})

    async def cancelled() -> None:
        task = asyncio.create_task(builder.build(repository.folder))
        assert await asyncio.to_thread(began.wait, 30)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=0.2)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not done

    asyncio.run(cancelled())
    assert found == [True]
    assert not builder.root.exists()


def test_what_a_build_leaves_running_dies_with_it(repository: Repository, builder: Builder) -> None:
    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    command = f"setsid nohup sleep {mark} >/dev/null 2>&1 & mkdir dist; echo > dist/x"
    repository.commit({"amplify.yml": spec(command)})
    builder.run(repository.folder)
    assert processes_with(mark) == []


def test_timeout(repository: Repository, builder: Builder) -> None:
    mark = str(uuid.uuid4().int % 10**9 + 10**9)
    repository.commit({"amplify.yml": spec(f"printf waiting; sleep {mark}")})
    with pytest.raises(BuildTimeout, match="time limit"):
        builder.run(repository.folder, timeout_s=1.0)
    assert processes_with(mark) == []
    assert "waiting" in builder.log.text
    assert f"while running `printf waiting; sleep {mark}`" in builder.log.text


def test_missing_artifact_folder_is_told_after_caching(repository: Repository, builder: Builder) -> None:
    yml = spec("mkdir kept; echo 1 > kept/x", rest="  cache:\n    paths: [kept/**/*]\n")
    repository.commit({"amplify.yml": yml})
    with pytest.raises(BuildFailed, match="Artifact directory doesn't exist: dist"):
        builder.run(repository.folder)
    log = builder.log.text
    assert log.index("# Caching completed") < log.index(
        "CustomerError: Artifact directory doesn't exist: dist"
    )


def test_broken_spec_has_line_and_column(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": "version: 1\nfrontend:\n  artifacts: {a: 1}\nfrontend: {}\n"})
    with pytest.raises(SpecError, match=r"duplicated mapping key `frontend` \(4:1\)") as caught:
        builder.run(repository.folder)
    assert (caught.value.line, caught.value.column) == (4, 1)
    assert "!!! CustomerError: Unable to parse build spec" in builder.log.text


def test_an_app_root_that_does_not_exist(repository: Repository, builder: Builder) -> None:
    yml = "applications:\n- appRoot: apps/gone\n  frontend: {artifacts: {baseDirectory: /}}\n"
    repository.commit({"amplify.yml": yml})
    with pytest.raises(SpecError, match="appRoot names 'apps/gone', which is no folder"):
        builder.run(repository.folder)


def test_a_monorepo_builds_the_application_that_is_asked_for(
    repository: Repository, builder: Builder
) -> None:
    one = "- appRoot: apps/%s\n  frontend:\n    phases: {build: {commands: ['mkdir out; pwd > out/x']}}\n"
    artifacts = "    artifacts: {baseDirectory: out, files: ['**/*']}\n"
    yml = "applications:\n" + "".join(one % name + artifacts for name in "ab")
    repository.commit({"amplify.yml": yml, "apps/a/f": "", "apps/b/f": ""})
    builder.run(repository.folder, app_variables={"AMPLIFY_MONOREPO_APP_ROOT": "./apps/b"})
    assert builder.output == {"x": "/workspace/src/apps/b\n"}


def test_custom_headers_file_is_handed_on(repository: Repository, builder: Builder) -> None:
    repository.commit({"index.html": "", "customHttp.yml": "customHeaders: []\n"})
    assert builder.run(repository.folder).custom_headers == "customHeaders: []\n"


def test_custom_headers_of_the_spec_are_handed_on_apart(repository: Repository, builder: Builder) -> None:
    headers = "customHeaders: [{pattern: '**', headers: [{key: X-A, value: '1'}]}]\n"
    repository.commit({"amplify.yml": spec("mkdir dist; echo 1 > dist/x") + headers})
    result = builder.run(repository.folder)
    assert result.custom_headers is None
    assert result.spec_headers is not None
    assert json.loads(result.spec_headers)["customHeaders"][0]["pattern"] == "**"


def test_secrets_are_masked(repository: Repository, builder: Builder) -> None:
    value = "very-secret-value"
    command = """mkdir dist; echo "$secrets" > dist/x
    echo "plain: $secrets"; echo "$secrets" | base64 -w0; printf very-sec; sleep 0.2; echo ret-value"""
    repository.commit({"amplify.yml": spec(command)})
    builder.run(repository.folder, secrets={"KEY": value}, credentials=Credentials(token="t0ken-t0ken"))
    assert json.loads(builder.output["x"]) == {"KEY": value}
    assert value not in builder.log.text
    assert base64.b64encode(f'{{"KEY": "{value}"}}\n'.encode())[12:-8].decode() not in builder.log.text
    assert "plain: " in builder.log.text
    assert "****" in builder.log.text


def test_out_of_memory_is_named(
    repository: Repository, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not re.match(r"cgroup v\d \(.*memory", builder.sandbox.report.limits):
        pytest.skip(f"memory cannot be limited here: {builder.sandbox.report.limits}")
    from preamp.build import compute
    from preamp.build.sandbox import Limits

    small = Limits(memory_bytes=96 * 1024 * 1024, processes=100)
    monkeypatch.setattr(compute, "limits_of", lambda _: (small, None))
    repository.commit({"amplify.yml": spec("perl -e '$x = \"a\" x 3e8'")})
    with pytest.raises(BuildFailed, match="Out of memory"):
        builder.run(repository.folder)


def test_leftovers_of_dead_runs_are_swept_and_living_ones_kept(
    repository: Repository, tmp_path: Path, builder: Builder
) -> None:
    request = builder.request(repository.folder)
    dead = []

    async def crash() -> None:
        manager = open_workspace(request)
        async with manager as alive:
            left = alive.root.with_name(alive.root.name + "-dead")
            left.mkdir()
            (left / "lock").touch()
            (left / "files").mkdir()
            dead.append(left)
            assert left in sweep(builder.folders)
            assert alive.root.exists()
            assert not left.exists()

    asyncio.run(crash())


def test_no_git(
    repository: Repository, builder: Builder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repository.commit({"index.html": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git is not installed"):
        builder.run(repository.folder)


def test_every_failure_is_a_build_error() -> None:
    for kind in (BuildFailed, BuildTimeout, SourceError, SpecError):
        assert issubclass(kind, BuildError)
