"""The pages say what the program does: settings, commands, operations, make targets, links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from preamp.api import operations
from preamp.aws.service import load_service
from preamp.settings import Settings
from tools import docs

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*/README.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code_blocks(text: str, language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL))


@pytest.mark.parametrize("page", docs.GENERATED)
def test_generated_parts_are_up_to_date(page: str) -> None:
    assert docs.rendered(page) == read(f"docs/{page}"), "run `make docs` and commit what it changes"


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_documented(setting: str) -> None:
    rows = [line.split(" | ") for line in read("docs/settings.md").splitlines() if line.startswith("| `")]
    mine = [row for row in rows if row[0] == f"| `{setting}`"]
    assert len(mine) == 1
    assert len(mine[0][-1].strip(" |")) > 10, "a setting needs a description"


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in docs.commands()]
)
def test_every_command_is_documented_with_its_help(path: tuple[str, ...], command) -> None:
    from click.testing import CliRunner

    from preamp.cli.main import preamp

    printed = CliRunner().invoke(preamp, [*path[1:], "--help"], prog_name="preamp").output
    printed = "\n".join(line.rstrip() for line in printed.splitlines())
    assert f"## `{' '.join(path)}`\n\n```text\n{printed}\n```" in read("docs/cli.md")
    assert command.help


def operation_rows() -> dict[str, str]:
    rows = re.findall(
        r"^\| ([A-Z]\w+) \| (real|not available yet) \|", read("docs/compatibility.md"), re.MULTILINE
    )
    assert len(rows) == len(dict(rows)), "an operation is listed twice"
    return dict(rows)


def test_every_operation_is_documented() -> None:
    service = load_service("amplify")
    assert len(service.operations) == 37
    assert list(operation_rows()) == sorted(service.operations)


def test_status_of_operations_is_true() -> None:
    done = set(operations._FUNCTIONS)
    assert {name for name, status in operation_rows().items() if status == "real"} == done


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "examples/vite-site/README.md"])
def test_make_targets_exist(page: str) -> None:
    listed = subprocess.run(["make", "-C", ROOT, "help"], capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  make ([a-z]+)", listed, re.MULTILINE))
    assert {"demo", "test", "check", "bench", "docs", "lock", "help", "clean"} <= targets
    assert set(re.findall(r"\bmake ([a-z]+)\b", code_text(page))) <= targets


def code_text(page: str) -> str:
    text = read(page)
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), *re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_pages_exist(page: Path) -> None:
    known = {" ".join(path[1:2]) for path, _ in docs.commands()}
    used = set(
        re.findall(
            r"^\s*(?:eval \"\$\()?preamp ([a-z]+)", code_blocks(page.read_text("utf-8"), "sh"), re.MULTILINE
        )
    )
    assert used <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.relative_to(ROOT)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def test_python_in_the_readme_uses_real_operations() -> None:
    import botocore.session

    snippet = code_blocks(read("README.md"), "python")
    compile(snippet, "README.md", "exec")
    client = botocore.session.get_session().create_client("amplify", region_name="us-east-1")
    calls = re.findall(r"amplify\.([a-z_]+)\(", snippet)
    assert {"list_jobs", "delete_job"} <= set(calls)
    assert all(hasattr(client, call) for call in calls)


def test_changelog_has_an_open_section() -> None:
    assert "## Unreleased" in read("CHANGELOG.md")


def test_contributing_begins_with_a_summary() -> None:
    assert read("CONTRIBUTING.md").splitlines()[2].startswith("**TL;DR**")
