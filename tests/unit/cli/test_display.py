from __future__ import annotations

import io

import pytest
from rich.console import Console

from preamp.cli.display import KEPT_LINES, Display, LiveDisplay, PlainDisplay, display
from preamp.cli.remote import JobView
from preamp.cli.remote import _job as parsed
from tests.support.fake_control import job, step


def view(*steps: dict[str, object], status: str = "RUNNING") -> JobView:
    from datetime import UTC, datetime

    raw = job(status, *steps)
    for item in (raw["summary"], *raw["steps"]):
        for name in ("startTime", "endTime"):
            if name in item:
                item[name] = datetime.fromtimestamp(item[name], UTC)
    return parsed(raw["summary"], raw["steps"])


def look(shown: Display, job: JobView) -> None:
    for item in job.steps:
        shown.step(item)
    shown.job(job)


def test_plain_says_every_change_once(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainDisplay() as shown:
        look(shown, view(status="PENDING"))
        for _ in range(3):
            look(shown, view(step("BUILD", "RUNNING"), step("DEPLOY", "PENDING")))
        shown.log("BUILD", "npm ci\n")
        look(shown, view(step("BUILD", "SUCCEED"), step("DEPLOY", "FAILED"), status="FAILED"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "job: waiting",
        "BUILD: running",
        "BUILD: done (2.5 s)",
        "DEPLOY: failed (2.5 s)",
    ]


def test_plain_with_logs_prints_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainDisplay(logs=True)
    for text in ("np", "m ci\nadded 14", " packages\n", "half"):
        shown.log("BUILD", text)
    look(shown, view(step("BUILD", "SUCCEED"), status="SUCCEED"))
    assert capsys.readouterr().err.splitlines() == [
        "BUILD: running",
        "  npm ci",
        "  added 14 packages",
        "BUILD: done (2.5 s)",
    ]


def test_control_sequences_are_left_out() -> None:
    shown = PlainDisplay()
    shown.log("BUILD", "\x1b[32m✓ built\x1b[39m\r\n\x1b[2J\x1b]0;title\x07plain\n")
    assert list(shown.tail) == ["✓ built", "0;titleplain"]


def test_tail_is_bounded() -> None:
    shown = PlainDisplay()
    shown.log("BUILD", "".join(f"line {number}\n" for number in range(1000)))
    assert list(shown.tail) == [f"line {number}" for number in range(1000 - KEPT_LINES, 1000)]


def test_live_shows_steps_and_the_end_of_the_log() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=60, height=30, color_system=None)
    with LiveDisplay(console, "site / main, job 1") as shown:
        look(shown, view(step("BUILD", "RUNNING"), step("DEPLOY", "PENDING")))
        shown.log("BUILD", "".join(f"line {number}\n" for number in range(40)))
        shown._live.refresh()
        running = screen.getvalue()
        look(shown, view(step("BUILD", "SUCCEED"), step("DEPLOY", "SUCCEED"), status="SUCCEED"))
    assert "site / main, job 1" in running
    assert "BUILD   running" in running
    assert "line 39" in running
    assert "line 30" not in running
    last = screen.getvalue().rsplit("site / main, job 1", 1)[1]
    assert "✓" in last
    assert "2.5 s" in last
    assert "line" not in last


def test_log_text_is_not_markup() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=60, height=30, color_system=None)
    with LiveDisplay(console, "site") as shown:
        look(shown, view(step("BUILD", "RUNNING")))
        shown.log("BUILD", "[red]x[/red] [/nothing]\n")
    assert "[red]x[/red] [/nothing]" in screen.getvalue()


def test_no_terminal_gets_plain_lines() -> None:
    assert isinstance(display("site"), PlainDisplay)
