"""What every test shares: the `needs` marker, its summary, and isolation from the developer's machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.postgres import Postgres
    from tests.support.swift import Swift

MISSING = "missing tool"
DEBIAN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian keeps servers and system tools; not on every user's PATH. PostgreSQL's have a folder for
each version besides."""


_home = tempfile.TemporaryDirectory(prefix="preamp-tests-")


def find_tool(name: str) -> str | None:
    servers = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    path = ":".join((DEBIAN_PATH, *servers))
    return shutil.which(name) or shutil.which(name, path=path)


def pytest_configure(config: pytest.Config) -> None:
    """No test may read the developer's settings and keys, or reach a server of his."""
    for name in [name for name in os.environ if name.startswith(("PREAMP_", "AWS_"))]:
        if not name.startswith("PREAMP_TEST_"):  # those are for the tests themselves
            del os.environ[name]
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        XDG_DATA_HOME=_home.name,
    )
    for name in ("NO_PROXY", "no_proxy"):
        here = "localhost,127.0.0.1,::1,.localhost"
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), here)))


def pytest_unconfigure(config: pytest.Config) -> None:
    _home.cleanup()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = sorted(
        {
            str(tool)
            for marker in item.iter_markers("needs")
            for tool in marker.args
            if find_tool(str(tool)) is None
        }
    )
    if not missing:
        return
    item.user_properties.extend((MISSING, tool) for tool in missing)
    reason = f"needs {', '.join(missing)}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}: in CI every tool must be there (tests/debian-packages.txt)", pytrace=False)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that missing tools kept from running: a skip is not a pass."""
    tests: dict[str, set[str]] = defaultdict(set)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == MISSING:
                    tests[str(value)].add(report.nodeid)
    for tool in sorted(tests):
        terminalreporter.section(f"not run: {tool} is missing", sep="-", yellow=True)
        for nodeid in sorted(tests[tool]):
            terminalreporter.line(nodeid)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test process; make a database for each test."""
    from tests.support.postgres import Postgres

    server = Postgres()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def swift() -> Iterator[Swift]:
    """An S3 service of this test process; make a bucket or a prefix for each test."""
    from tests.support.swift import Swift

    server = Swift()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()
