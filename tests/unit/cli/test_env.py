from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.unit.cli.conftest import Run


def make_key(run: Run, data: Path) -> dict[str, str]:
    return json.loads(run("keys", "create", "administrator", "--data", data, "--json").output)


def say_running(data: Path, *, pid: int) -> None:
    address = {"control_url": "http://127.0.0.1:4711", "edge_url": "http://127.0.0.1:4712", "pid": pid}
    (data / "run" / "server.json").write_text(json.dumps(address))


def test_running_server(run: Run, tmp_path: Path) -> None:
    key = make_key(run, tmp_path)
    say_running(tmp_path, pid=os.getpid())
    result = run("env", "--data", tmp_path, "--format", "json")
    assert json.loads(result.stdout) == {
        "AWS_ENDPOINT_URL_AMPLIFY": "http://127.0.0.1:4711",
        "AWS_ACCESS_KEY_ID": key["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["secretAccessKey"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    assert result.stderr == ""


def test_shell_form_can_be_evaluated(run: Run, tmp_path: Path) -> None:
    key = make_key(run, tmp_path)
    say_running(tmp_path, pid=os.getpid())
    script = run("env", "--data", tmp_path).stdout + 'printf %s "$AWS_SECRET_ACCESS_KEY"'
    done = subprocess.run(["bash", "-uc", script], capture_output=True, text=True, check=True)
    assert done.stdout == key["secretAccessKey"]


def test_server_that_died_is_not_believed(run: Run, tmp_path: Path) -> None:
    make_key(run, tmp_path)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    say_running(tmp_path, pid=gone.pid)
    result = run("env", "--data", tmp_path, "--format", "json")
    assert json.loads(result.stdout)["AWS_ENDPOINT_URL_AMPLIFY"] == "http://127.0.0.1:7732"
    assert "no server is running" in result.stderr


def test_free_port_is_unknown_until_the_server_runs(run: Run, tmp_path: Path) -> None:
    make_key(run, tmp_path)
    result = run("env", "--data", tmp_path, env={"PREAMP_CONTROL": "127.0.0.1:0"})
    assert result.exit_code == 2
    assert "preamp serve" in result.stderr


def test_no_key_yet(run: Run, tmp_path: Path) -> None:
    result = run("env", "--data", tmp_path / "new")
    assert result.exit_code == 2
    assert "start `preamp serve`" in result.stderr
    assert not (tmp_path / "new").exists()


def test_only_disabled_keys(run: Run, tmp_path: Path) -> None:
    key = make_key(run, tmp_path)["accessKeyId"]
    run("keys", "disable", key, "--force", "--data", tmp_path)
    result = run("env", "--data", tmp_path)
    assert result.exit_code == 2
    assert "preamp keys create" in result.stderr
