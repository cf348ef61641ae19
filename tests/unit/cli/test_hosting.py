"""`preamp access`, `maintenance`, `assets` and `logs access` on a data folder."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from preamp.cli.compute_log import Reader
from preamp.compute.logs import LogFile, log_file
from preamp.store import branches, changes
from preamp.store.access_logs import COLUMNS, AccessLog
from preamp.store.database import open_sqlite
from preamp.store.folder import DataFolder
from preamp.store.hosting import sites_of_app
from tests.unit.cli.conftest import Run


def stored(data: Path):
    """The site as edges read it, and how many changes they were told."""
    database = open_sqlite(DataFolder(data).database)
    try:
        with database.read() as conn:
            return sites_of_app(conn, "dsite")["main"], changes.latest(conn)
    finally:
        database.close()


def test_lists_of_an_app_and_of_a_branch(run: Run, data: Path) -> None:
    assert run("access", "allow", "shop", "192.0.2.1", "10.1.2.3/8", "--data", data).exit_code == 0
    assert run("access", "deny", "dsite", "10.0.0.7", "--branch", "main", "--data", data).exit_code == 0
    site, changed = stored(data)
    assert site.app_hosting.access.allow == ("192.0.2.1/32", "10.0.0.0/8")
    assert (site.app_hosting.access.deny, site.branch_hosting.access.deny) == ((), ("10.0.0.7/32",))
    assert changed == 2
    shown = json.loads(run("access", "list", "shop", "--data", data, "--json").output)
    assert shown == {"allow": ["192.0.2.1/32", "10.0.0.0/8"], "deny": []}
    assert "deny   10.0.0.7/32" in run("access", "list", "shop", "--branch", "main", "--data", data).output
    assert run("access", "forget", "shop", "192.0.2.1", "--data", data).exit_code == 0
    assert stored(data)[0].app_hosting.access.allow == ("10.0.0.0/8",)
    assert run("access", "forget", "shop", "--all", "--data", data).exit_code == 0
    assert "everybody may visit" in run("access", "list", "shop", "--data", data).output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("access", "allow", "shop", "10.0.0.0/33"), "no address or network"),
        (("access", "allow", "shop", "example.com"), "no address or network"),
        (("access", "allow", "nothing", "10.0.0.1"), "no app 'nothing'"),
        (("access", "deny", "shop", "10.0.0.1", "--branch", "no"), "no branch 'no'"),
        (("access", "forget", "shop"), "name the networks"),
        (("access", "forget", "shop", "10.0.0.1"), "not on a list: 10.0.0.1/32"),
        (("maintenance", "on", "shop", "no"), "no branch 'no'"),
        (("assets", "immutable", "nothing", "on"), "no app 'nothing'"),
        (("logs", "access", "nothing"), "no app 'nothing'"),
        (("compute", "variables", "shop", "no", "on"), "no branch 'no'"),
        (("compute", "verify", "nothing", "on"), "no app 'nothing'"),
        (("logs", "compute", "shop", "no"), "no branch 'no'"),
        (("logs", "compute", "shop", "main"), "serves nothing yet"),
        (("logs", "compute", "shop", "main", "--job", "x"), "not the number of a job"),
        (("logs", "compute", "shop", "main", "--job", "3"), "never ran on this machine"),
    ],
)
def test_wrong_use(run: Run, data: Path, arguments: tuple[str, ...], text: str) -> None:
    result = run(*arguments, "--data", data)
    assert (result.exit_code, text in result.stderr) == (2, True), result.output


def test_maintenance_on_and_off(run: Run, data: Path) -> None:
    assert run("maintenance", "on", "shop", "main", "--message", "Soon.", "--data", data).exit_code == 0
    assert stored(data)[0].branch_hosting.maintenance == "Soon."
    assert run("maintenance", "off", "shop", "main", "--data", data).exit_code == 0
    assert stored(data)[0].branch_hosting.maintenance is None


def test_how_servers_are_run(run: Run, data: Path) -> None:
    site, _ = stored(data)
    assert (site.branch_hosting.runtime_variables, site.app_hosting.verify_root) == (False, True)
    assert run("compute", "variables", "shop", "main", "on", "--data", data).exit_code == 0
    assert run("compute", "verify", "shop", "off", "--data", data).exit_code == 0
    site, changed = stored(data)
    assert (site.branch_hosting.runtime_variables, site.app_hosting.verify_root) == (True, False)
    assert changed == 2


def test_logs_of_a_server(run: Run, data: Path) -> None:
    database = open_sqlite(DataFolder(data).database)
    with database.read() as conn:
        branch = branches.get_branch(conn, "dsite", "main")
    database.close()
    assert branch is not None
    file = log_file(DataFolder(data).compute_logs, branch.branch_id, 3)
    log = LogFile(file, max_bytes=25)
    for line in (b"first line, long and put aside\n", b"second line\n", b"half a line"):
        log.write(line)
    result = run("logs", "compute", "shop", "main", "--job", "3", "--data", data)
    assert (result.exit_code, result.output) == (0, "first line, long and put aside\nsecond line\n")


def test_following_the_log_of_a_server(tmp_path: Path) -> None:
    file = log_file(tmp_path, 1, 1)
    log, reader, out = LogFile(file, max_bytes=20), Reader(file), io.BytesIO()
    assert not reader.read_on(out)
    for number in range(8):
        log.write(b"line %d of several\n" % number)  # each one fills the file
        reader.read_on(out)
    reader.close()
    assert out.getvalue().decode().splitlines() == [f"line {number} of several" for number in range(8)]


def test_lines_that_come_just_before_the_log_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = log_file(tmp_path, 1, 1)
    log, reader, out = LogFile(file, max_bytes=20), Reader(file), io.BytesIO()
    log.write(b"one\n")
    look = Reader._is_current

    def writing_before(self: Reader) -> bool:
        if file.exists() and file.stat().st_size < 10:
            log.write(b"two, which fills the file\n")
            log.write(b"three\n")
            monkeypatch.setattr(Reader, "_is_current", look)
        return look(self)

    monkeypatch.setattr(Reader, "_is_current", writing_before)
    for _ in range(2):
        reader.read_on(out)
    reader.close()
    assert out.getvalue() == b"one\ntwo, which fills the file\nthree\n"


def test_immutable_assets(run: Run, data: Path) -> None:
    assert run("assets", "immutable", "shop", "on", "--data", data).exit_code == 0
    assert stored(data)[0].app_hosting.immutable_assets is True
    assert run("assets", "immutable", "shop", "off", "--data", data).exit_code == 0
    assert stored(data)[0].app_hosting.immutable_assets is False


def test_the_access_log_is_printed(run: Run, data: Path) -> None:
    log = AccessLog(DataFolder(data).access)
    for name, at in (("main.dsite.localhost", time.time()), ("www.example.com", time.time() - 7200)):
        log.add(
            "dsite",
            name,
            host=name,
            method="GET",
            path="/",
            status=200,
            result="Hit",
            sent=1,
            client="::1",
            at=at,
        )
    log.close()
    lines = run("logs", "access", "shop", "--hours", "4", "--data", data).output.splitlines()
    assert [len(line.split(",")) for line in lines] == [len(COLUMNS)] * 3
    newest = run("logs", "access", "dsite", "localhost", "--data", data).output.splitlines()
    assert len(newest) == 2
    assert "main.dsite.localhost" in newest[1]
    assert len(run("logs", "access", "shop", "example.org", "--data", data).output.splitlines()) == 1
