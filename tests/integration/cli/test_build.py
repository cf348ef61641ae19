"""`preamp build` as a program: a real clone and a real build, no server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("git"), pytest.mark.needs("bwrap")]

SPEC = """\
version: 1
frontend:
  phases:
    build:
      commands:
        - mkdir dist
        - echo "<h1>$GREETING from $AWS_BRANCH</h1>" > dist/index.html
  artifacts:
    baseDirectory: dist
    files:
      - '**/*'
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "amplify.yml").write_text(SPEC)
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for arguments in (("init", "-q", "-b", "trunk"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)
    return folder


def preamp_build(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "preamp", "build", str(site), *arguments]
    env = {**os.environ, "PREAMP_DATA": str(site.parent / "data")}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_log_and_files(site: Path, tmp_path: Path) -> None:
    done = preamp_build(site, "--env", "GREETING=Hello", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# Starting phase: build" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]
    assert (tmp_path / "out" / "index.html").read_text() == "<h1>Hello from trunk</h1>\n"


def test_files_are_built_as_they_are(site: Path) -> None:
    (site / "amplify.yml").write_text(SPEC.replace("<h1>", "<h2>") + "# not committed\n")
    (site / "new.txt").write_text("new")
    (site / ".gitignore").write_text("ignored\n")
    (site / "ignored").write_text("x")
    (site / "amplify.yml").write_text(
        (site / "amplify.yml").read_text().replace("mkdir dist", "ls; mkdir dist")
    )
    before = subprocess.run(["git", "status", "--porcelain"], cwd=site, capture_output=True, text=True).stdout
    objects = sorted((site / ".git/objects").rglob("*"))
    done = preamp_build(site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "new.txt" in done.stdout
    assert "ignored\n" not in done.stdout
    left = Path(done.stderr.split("they are in ")[1].strip())
    assert (left / "index.html").read_text() == "<h2> from trunk</h1>\n"
    after = subprocess.run(["git", "status", "--porcelain"], cwd=site, capture_output=True, text=True).stdout
    assert before == after
    assert sorted((site / ".git/objects").rglob("*")) == objects, "the repository is left alone"


def test_committed_state_is_built_when_asked_for(site: Path, tmp_path: Path) -> None:
    (site / "amplify.yml").write_text("not committed")
    done = preamp_build(site, "--committed", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uncommitted changes" in done.stderr


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    (plain / "node_modules/x").mkdir(parents=True)
    (plain / "node_modules/x/index.js").write_text("")
    (plain / "index.html").write_text("hello")
    done = preamp_build(plain, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]
    assert not (plain / ".git").exists()
    done = preamp_build(plain, "--committed")
    assert done.returncode == 2
    assert "git working folder" in done.stderr


def test_failing_command_is_status_1_with_its_reason(site: Path) -> None:
    (site / "amplify.yml").write_text(SPEC.replace("mkdir dist", "exit 7"))
    subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qam", "break"],
        cwd=site,
        check=True,
    )
    done = preamp_build(site)
    assert done.returncode == 1
    assert "exit 7" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--env", "GREETING"], "is not NAME=VALUE"),
        (["--output", "."], "is not empty"),
        (["--branch", "nowhere"], "nowhere"),
    ],
)
def test_wrong_use(site: Path, arguments: list[str], says: str) -> None:
    done = preamp_build(site, *arguments)
    assert done.returncode in {1, 2}
    assert says in done.stderr


NEXT_SPEC = """
version: 1
frontend:
  phases:
    build:
      commands:
        - mkdir -p .next/standalone/node_modules/.store .next/static
        - echo b1 > .next/BUILD_ID
        - 'echo "{\\"config\\": {\\"output\\": \\"$(test $NEXT_PRIVATE_STANDALONE && echo standalone)\\"}}"
          > .next/required-server-files.json'
        - echo server > .next/standalone/server.js
        - echo a > .next/standalone/node_modules/.store/a.js
        - ln -s .store/a.js .next/standalone/node_modules/a.js
        - ln -s /etc/passwd .next/standalone/away
  artifacts:
    baseDirectory: .next
    files:
      - '**/*'
"""


def test_a_bundle_with_a_server(site: Path, tmp_path: Path) -> None:
    """As a job of an app with this platform makes it."""
    (site / "amplify.yml").write_text(NEXT_SPEC)
    out = tmp_path / "out"
    done = preamp_build(site, "--platform", "WEB_COMPUTE", "--output", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# Next.js 0.0.0 found: its standalone output bundled for a server" in done.stdout
    assert "compute/default/away is left out: it is a link that leads nowhere or out" in done.stdout
    home = out / "compute/default"
    assert (home / "server.js").read_text() == "server\n"
    assert str((home / "node_modules/a.js").readlink()) == ".store/a.js"
    assert not (home / "away").is_symlink()
    assert '"path": "/*"' in (out / "deploy-manifest.json").read_text()
    plain = tmp_path / "plain"
    assert preamp_build(site, "--output", str(plain)).returncode == 0
    assert (plain / "BUILD_ID").exists(), "on the platform for files it is what it was"
    facts = (plain / "required-server-files.json").read_text()
    assert "standalone" not in facts, "and Next.js is asked for nothing"
