"""`make demo`: the whole way once, on the bundled sample site.

A server in a fresh data folder, a git repository made from the sample, an app, a branch and a job through
the API, progress until the job ends, the page fetched. Exit status 1 when anything does not work out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console

from preamp.cli.connection import Running, find_endpoint, find_running
from preamp.cli.display import display, steps_table
from preamp.cli.errors import Failure
from preamp.cli.follow import follow
from preamp.cli.jobs import jobs_table
from preamp.cli.remote import Remote, site_url

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "examples" / "vite-site"
DEMO = ROOT / ".demo"
BRANCH = "main"
PICTURE_WIDTH = 104
START_SECONDS = 60
STOP_SECONDS = 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit when everything was shown")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw the terminal of this very run")
    given = parser.parse_args()
    picture: Path | None = given.picture
    fixed = picture is not None or not sys.stdout.isatty()
    console = Console(width=PICTURE_WIDTH if fixed else None, highlight=False, record=picture is not None)
    # Ctrl-C and a supervisor's SIGTERM both end the demo, and the server with it; a shell that starts it
    # in the background would have SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        shutil.rmtree(DEMO, ignore_errors=True)
        DEMO.mkdir()
        with server(DEMO / "data", console) as running:
            show(running, console)
            if picture is not None:
                draw(console, picture)
            elif not given.once:
                console.print("\nThe site stays up until Ctrl-C.")
                signal.pause()
    except KeyboardInterrupt:
        console.print("\nStopped.")
    except click.ClickException as error:
        error.show()
        return 1
    return 0


def show(running: Running, console: Console) -> None:
    """The client's side of the demo. Raises ClickException."""
    say(console, "A git repository from the sample", "examples/vite-site")
    repository = make_repository(DEMO / "sample-site")
    remote = Remote(find_endpoint(DEMO / "data"))
    app = remote.create_app(name="sample-site", repository=repository.as_uri())
    say(console, "create_app", f"{app.app_id}, repository {repository.relative_to(ROOT)}")
    branch = remote.create_branch(app.app_id, BRANCH)
    say(console, "create_branch", branch.name)
    job_id = remote.start_job(app.app_id, BRANCH)
    say(console, "start_job", f"RELEASE, job {job_id}\n")
    with display(f"sample-site / {BRANCH}, job {job_id}", logs=True) as shown:
        job = follow(remote, app.app_id, BRANCH, job_id, shown)
    if not job.succeeded:
        log = "\n".join(shown.tail)
        raise Failure(f"the job ended {job.status.value}: {job.reason or 'see its log'}\n{log}")
    if console.record:  # the live display is not part of the recording
        console.print(steps_table(job, f"sample-site / {BRANCH}, job {job_id}"))
    console.print()
    say(console, "list_jobs", "")
    console.print(jobs_table(remote.jobs(app.app_id, BRANCH, limit=10)))
    url = site_url(app, branch)
    title, size = fetch(url, running.edge_url)
    say(console, "The page", f"[bold cyan]{url}[/bold cyan]")
    say(console, "Fetched", f"“{title}”, {size:,} bytes of HTML")


def say(console: Console, what: str, detail: str) -> None:
    console.print(f"[bold]{what:34}[/bold] {detail}")


def draw(console: Console, file: Path) -> None:
    """The recorded output as a picture of a terminal, with no font fetched from elsewhere."""
    svg = console.export_svg(title="make demo")
    file.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


@contextmanager
def server(data: Path, console: Console) -> Iterator[Running]:
    """`preamp serve` as a program of its own, until the block ends."""
    command = [sys.executable, "-m", "preamp", "serve", "--data", str(data), *addresses(console)]
    with (DEMO / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        running = wait_for(process, data)
        say(console, "preamp serve", f"API {running.control_url}, sites {running.edge_url}")
        yield running
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def addresses(console: Console) -> list[str]:
    """The usual ports; free ones when another server has them."""
    for port in (7732, 7780):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                console.print(f"Port {port} is in use; the demo takes free ports instead.")
                return ["--control", "127.0.0.1:0", "--edge", "127.0.0.1:0"]
    return []


def wait_for(process: subprocess.Popen[bytes], data: Path) -> Running:
    """The addresses of the server, once everything listens."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if running := find_running(data):
            return running
        if process.poll() is not None:
            break
        time.sleep(0.05)
    log = (DEMO / "server.log").read_text("utf-8", "replace")
    raise Failure(f"the server did not start (exit status {process.poll()}):\n{log}")


def make_repository(folder: Path) -> Path:
    """The sample as a git repository with one commit."""
    ignored = shutil.ignore_patterns("node_modules", "dist", ".npm")
    shutil.copytree(SAMPLE, folder, ignore=ignored)
    identity = {
        "GIT_AUTHOR_NAME": "Preamp demo",
        "GIT_AUTHOR_EMAIL": "demo@localhost",
        "GIT_COMMITTER_NAME": "Preamp demo",
        "GIT_COMMITTER_EMAIL": "demo@localhost",
        # The developer's own git settings (signing, hooks, templates) are not part of the demo.
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    for arguments in (
        ("init", "--quiet", "--initial-branch", BRANCH),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "Say hello"),
    ):
        try:
            subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **identity}, check=True)
        except FileNotFoundError:
            raise Failure("git is not installed; install it (Debian: apt install git)") from None
        except subprocess.CalledProcessError as error:
            raise Failure(f"git {arguments[0]} failed with exit status {error.returncode}") from error
    return folder


def fetch(url: str, edge_url: str) -> tuple[str, int]:
    """Title and size of the page at `url`. Dials the edge itself: not every resolver knows *.localhost."""
    address, wanted = urlsplit(edge_url), urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request("GET", wanted.path, headers={"Host": wanted.netloc})
        answer = connection.getresponse()
        body = answer.read()
    except OSError as error:
        raise Failure(f"{url} does not answer: {error}") from error
    finally:
        connection.close()
    title = re.search(rb"<title>(.*?)</title>", body)
    if answer.status != 200 or title is None:
        raise Failure(f"{url} answered {answer.status} with {len(body)} bytes, not the page that was built")
    return title[1].decode(), len(body)


if __name__ == "__main__":
    sys.exit(main())
