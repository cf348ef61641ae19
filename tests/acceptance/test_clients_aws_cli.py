"""The AWS CLI, unmodified: it is told what `preamp env` prints, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.preamp import Preamp, running

pytestmark = [pytest.mark.needs("bash", "curl", "bwrap")]

Cli = Callable[..., subprocess.CompletedProcess[str]]
DEPLOY = r"""
set -euo pipefail
app_id=$1 branch=$2 zip=$3
read -r job_id url < <(aws amplify create-deployment --app-id "$app_id" --branch-name "$branch" \
  --query '[jobId, zipUploadUrl]' --output text)
curl --silent --show-error --fail --upload-file "$zip" "$url"
aws amplify start-deployment --app-id "$app_id" --branch-name "$branch" --job-id "$job_id" > /dev/null
status=PENDING
while [[ $status == PENDING || $status == RUNNING ]]; do
  sleep 0.2
  status=$(aws amplify get-job --app-id "$app_id" --branch-name "$branch" --job-id "$job_id" \
    --query 'job.summary.status' --output text)
done
log=$(aws amplify get-job --app-id "$app_id" --branch-name "$branch" --job-id "$job_id" \
  --query "job.steps[?stepName=='DEPLOY'].logUrl | [0]" --output text)
curl --silent --fail "$log" > /dev/null
echo "job $job_id ended $status"
"""


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("cli") / "data") as it:
        yield it


@pytest.fixture(scope="module")
def environment(preamp: Preamp) -> dict[str, str]:
    programs = str(Path(sys.executable).parent)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **preamp.variables(), "PATH": path, "AWS_PAGER": ""}


@pytest.fixture
def aws(environment: dict[str, str], tmp_path: Path) -> Cli:
    def run(*arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["aws", "amplify", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done

    return run


def test_query_text_and_json_from_files(aws: Cli, tmp_path: Path) -> None:
    rules = [{"source": "/<*>", "target": "/index.html", "status": "404-200"}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    (tmp_path / "app.json").write_text(json.dumps({"name": "from a file", "tags": {"a:b": "c=d"}}))
    app_id = aws(
        *("create-app", "--cli-input-json", "file://app.json", "--custom-rules", "file://rules.json"),
        *("--environment-variables", "A=1,B=two words", "--query", "app.appId", "--output", "text"),
    ).stdout.strip()
    app = json.loads(aws("get-app", "--app-id", app_id).stdout)["app"]
    assert app["customRules"] == rules
    assert app["environmentVariables"] == {"A": "1", "B": "two words"}
    assert app["tags"] == {"a:b": "c=d"}

    branch = "feature/é foo+bar"
    aws("create-branch", "--app-id", app_id, "--branch-name", branch, "--stage", "BETA")
    text = aws(
        *("get-branch", "--app-id", app_id, "--branch-name", branch),
        *("--query", "branch.[branchName, stage, enableAutoBuild]", "--output", "text"),
    ).stdout
    assert text.rstrip("\n").split("\t") == [branch, "BETA", "True"]
    arn = json.loads(aws("list-branches", "--app-id", app_id).stdout)["branches"][0]["branchArn"]
    assert arn.endswith(f"/branches/{branch}")
    aws("tag-resource", "--resource-arn", arn, "--tags", "k=v")
    assert json.loads(aws("list-tags-for-resource", "--resource-arn", arn).stdout) == {"tags": {"k": "v"}}


def test_lists_are_walked(aws: Cli) -> None:
    app_id = aws("create-app", "--name", "many", "--query", "app.appId", "--output", "text").stdout.strip()
    names = [f"b{number}" for number in range(3)]
    for name in names:
        aws("create-branch", "--app-id", app_id, "--branch-name", name)
    listed = ("list-branches", "--app-id", app_id)
    whole = aws(*listed, "--page-size", "1", "--query", "branches[].branchName", "--output", "text")
    assert whole.stdout.split() == names
    first = json.loads(aws(*listed, "--max-items", "2").stdout)
    assert [one["branchName"] for one in first["branches"]] == names[:2]
    rest = json.loads(aws(*listed, "--starting-token", first["NextToken"]).stdout)
    assert [one["branchName"] for one in rest["branches"]] == names[2:]
    assert "NextToken" not in rest
    jobs = aws("list-jobs", "--app-id", app_id, "--branch-name", "b0", "--max-items", "1", "--output", "text")
    assert jobs.stdout.strip() in {"", "None"}


def test_a_deploy_script_with_a_wait_loop(aws: Cli, environment: dict[str, str], tmp_path: Path) -> None:
    app_id = aws("create-app", "--name", "script", "--query", "app.appId", "--output", "text").stdout.strip()
    aws("create-branch", "--app-id", app_id, "--branch-name", "main")
    (tmp_path / "index.html").write_text("<h1>script</h1>")
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", "site.zip", "index.html"], cwd=tmp_path, check=True
    )
    done = subprocess.run(
        ["bash", "-c", DEPLOY, "deploy", app_id, "main", "site.zip"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "job 1 ended SUCCEED\n"


def test_errors(aws: Cli) -> None:
    missing = aws("get-app", "--app-id", "d0000000000000", fails=True)
    assert missing.returncode in {254, 255}, "which, depends on the version"
    assert (
        "An error occurred (NotFoundException) when calling the GetApp operation: "
        "App d0000000000000 not found." in missing.stderr
    )
    manual = aws(
        *("start-job", "--app-id", "d0000000000000", "--branch-name", "main", "--job-type", "MANUAL"),
        fails=True,
    )
    assert "(BadRequestException)" in manual.stderr
