"""What a build finds in its environment, and what it may leave for the next."""

from __future__ import annotations

import json

import pytest

from preamp.build.errors import BuildFailed
from tests.integration.build.support import Builder, Repository, spec

pytestmark = pytest.mark.needs("git", "bwrap")


def test_env_cache(repository: Repository, builder: Builder) -> None:
    count = 'mkdir dist; old=$(envCache --get COUNT); envCache --set COUNT "${old}x"; echo $old > dist/x'
    repository.commit({"amplify.yml": spec(count)})
    seen = []
    for _ in range(3):
        builder.run(repository.folder)
        seen.append(builder.output["x"].strip())
    assert seen == ["", "x", "xx"]
    builder.run(repository.folder, branch="main")
    repository.git("branch", "other")
    builder.run(repository.folder, branch="other")
    assert builder.output["x"] == "\n", "branches do not share"


def test_env_cache_of_a_failed_build_is_dropped(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec("envCache --set A bad; false")})
    with pytest.raises(BuildFailed):
        builder.run(repository.folder)
    repository.commit({"amplify.yml": spec("mkdir dist; envCache --get A > dist/x")})
    builder.run(repository.folder)
    assert builder.output["x"] == "\n"


@pytest.mark.parametrize("call", ["--set 'a/b' c", "--get ../x", "--set A", ""])
def test_env_cache_used_wrongly(repository: Repository, builder: Builder, call: str) -> None:
    repository.commit({"amplify.yml": spec(f"envCache {call}")})
    with pytest.raises(BuildFailed, match="exit code 2\nusage: envCache"):
        builder.run(repository.folder)


def test_env_cache_cannot_be_made_to_read_elsewhere(repository: Repository, builder: Builder) -> None:
    trick = """mkdir dist; echo > dist/x; cd ~/.preamp/env-cache
    ln -s /etc/passwd A; mkfifo B; mkdir C; echo ok > D"""
    repository.commit({"amplify.yml": spec(trick)})
    builder.run(repository.folder)
    kept = list(builder.folders.caches.rglob("environment.json"))
    assert [json.loads(path.read_text()) for path in kept] == [{"D": "ok\n"}]
    repository.commit(
        {"amplify.yml": spec("mkdir dist; rm -rf ~/.preamp; ln -s /etc ~/.preamp; echo > dist/x")}
    )
    result = builder.run(repository.folder)
    assert any("its folder was replaced" in warning for warning in result.warnings)


def test_secrets_as_variables(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec('mkdir dist; echo "$A/$B" > dist/x; echo "$secrets" > dist/y')})
    builder.run(
        repository.folder,
        secrets={"A": "secret-a", "B": "secret-b"},
        secret_variables=frozenset({"A"}),
        branch_variables={"A": "not this"},
    )
    assert builder.output["x"] == "secret-a/\n"
    assert json.loads(builder.output["y"]) == {"A": "secret-a", "B": "secret-b"}


def test_secrets_are_masked_in_the_reason_too(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec("echo hunter2hunter2 >&2; test hunter2hunter2 = x")})
    with pytest.raises(BuildFailed) as caught:
        builder.run(repository.folder, secrets={"PASSWORD": "hunter2hunter2"})
    assert "hunter2" not in str(caught.value) + builder.log.text
    repository.commit({"amplify.yml": "frontend: {artifacts: {discard-paths: hunter2hunter2}}\n"})
    with pytest.raises(Exception, match=r"must be yes or no, not '\*\*\*\*'") as other:
        builder.run(repository.folder, secrets={"PASSWORD": "hunter2hunter2"})
    assert "hunter2" not in str(other.value) + builder.log.text


def test_live_updates_come_before_the_first_phase(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec("mkdir dist; echo > dist/x")})
    updates = [
        {"pkg": "hugo", "type": "hugo", "version": "1"},
        {"pkg": "no-such-thing", "type": "npm", "version": "0"},
    ]
    with pytest.raises(BuildFailed, match="Command `npm install -g no-such-thing@0` of phase liveUpdates"):
        builder.run(
            repository.folder,
            branch_variables={"_LIVE_UPDATES": json.dumps(updates), "npm_config_registry": "http://127.0.0.1:9",
                              "npm_config_fetch_retries": "0"},
        )  # fmt: skip
    assert "Starting phase" not in builder.log.text
    assert "'hugo' 1 (type hugo) is not installed by Preamp" in builder.log.text


def test_amplify_push_says_what_is_missing(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": spec("amplifyPush --simple")})
    with pytest.raises(BuildFailed, match="deploys no Gen 1 backend"):
        builder.run(repository.folder)
