from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from preamp.build.environment import Places, build_environment, build_timeout_s, passed_on
from preamp.build.request import BuildRequest, Folders, JobIdentity
from preamp.model.jobs import Commit

COMMIT = Commit(commit_id="f" * 40, message="m", time_ms=1)


def request(**changes: object) -> BuildRequest:
    folder = Path("/nowhere")
    values: dict[str, object] = {
        "job": JobIdentity(app_id="d1", branch="main", branch_arn="arn:b", job_id="0000000007"),
        "repository": "https://example.test/r.git",
        "folders": Folders(mirrors=folder, caches=folder, toolchains=folder),
    }
    return BuildRequest(**(values | changes))  # type: ignore[arg-type]


def environment(spec: dict[str, str] | None = None, **changes: object) -> dict[str, str]:
    return build_environment(
        request(**changes),
        commit=COMMIT,
        places=Places(workspace=PurePosixPath("/workspace"), node=None),
        spec_variables=spec or {},
        clone_url="https://example.test/r.git",
    )


def test_precedence_is_spec_app_branch_reserved() -> None:
    found = environment(
        {"A": "spec", "B": "spec", "C": "spec", "CI": "no"},
        app_variables={"B": "app", "C": "app", "AWS_APP_ID": "forged"},
        branch_variables={"C": "branch", "AWS_OWN": "x"},
    )
    assert (found["A"], found["B"], found["C"]) == ("spec", "app", "branch")
    assert (found["CI"], found["AWS_APP_ID"]) == ("true", "d1")
    assert "AWS_OWN" not in found


def test_always_set() -> None:
    found = environment()
    assert {name: found[name] for name in found if name.startswith("AWS_")} == {
        "AWS_AMPLIFY_DEPLOYMENT_ID": "0000000007",
        "AWS_APP_ID": "d1",
        "AWS_BRANCH": "main",
        "AWS_BRANCH_ARN": "arn:b",
        "AWS_CLONE_URL": "https://example.test/r.git",
        "AWS_COMMIT_ID": "HEAD",
        "AWS_JOB_ID": "0000000007",
    }


def test_nothing_of_our_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREAMP_MASTER_KEY", "x")
    monkeypatch.setenv("LD_PRELOAD_OF_MINE", "x")
    monkeypatch.setenv("PIP_RETRIES", "7")
    found = environment()
    assert "PREAMP_MASTER_KEY" not in found
    assert "LD_PRELOAD_OF_MINE" not in found
    assert found["PIP_RETRIES"] == "7"


def test_secrets_are_json() -> None:
    assert json.loads(environment(secrets={"KEY": 'va"lue'})["secrets"]) == {"KEY": 'va"lue'}
    assert "secrets" not in environment()


def test_registry_settings_without_secrets() -> None:
    machine = {
        "PIP_INDEX_URL": "https://user:password@index.test/simple",
        "PIP_TRUSTED_HOST": "index.test",
        "npm_config__authToken": "t",
        "npm_config_registry": "https://registry.test/",
        "HTTPS_PROXY": "http://me:pw@proxy:1",
        "NO_PROXY": "localhost",
        "HOME": "/root",
    }
    patterns = ("PIP_*", "npm_config_*", "HTTPS_PROXY", "NO_PROXY")
    assert set(passed_on(patterns, machine)) == {"PIP_TRUSTED_HOST", "npm_config_registry", "NO_PROXY"}


@pytest.mark.parametrize(
    ("text", "seconds", "warns"),
    [("10", 600, False), ("2", 300, True), ("500", 7200, True), ("soon", 1800, True), (" 7 ", 420, False)],
)
def test_timeout(text: str, seconds: float, warns: bool) -> None:
    found, warning = build_timeout_s(request(app_variables={"_BUILD_TIMEOUT": text}))
    assert (found, warning is not None) == (seconds, warns)


def test_names_no_program_can_have_are_dropped() -> None:
    found = environment(app_variables={"": "x", "A=B": "x", "OK": "a\0b", "FINE": "y"})
    assert found["FINE"] == "y"
    assert not {"", "A=B", "OK"} & set(found)
