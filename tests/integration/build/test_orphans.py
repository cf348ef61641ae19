"""Sandboxes whose bubblewrap was killed in its first moment."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from preamp.build.sandbox.base import MARK
from preamp.build.sandbox.orphans import kill_orphans
from tests.support.preamp import until
from tests.support.processes import command_lines

pytestmark = pytest.mark.needs("bwrap")


@pytest.mark.parametrize("mark", [MARK, "another program's"])
def test_what_waits_for_a_dead_bubblewrap_is_killed(mark: str) -> None:
    blocked, go = os.pipe()  # it waits between its child's beginning and the ids that this one waits for
    ours, told = os.memfd_create(mark), os.open(os.devnull, os.O_WRONLY)
    command = ["bwrap", "--unshare-user", "--unshare-pid", "--die-with-parent", "--bind", "/", "/"]
    outer = subprocess.Popen(
        [*command, "--userns-block-fd", str(blocked), "--info-fd", str(told), "true"],
        pass_fds=[blocked, told, ours],
    )
    try:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        until(children.read_text, "the child of bubblewrap")
        inner = int(children.read_text())
        until(lambda: "S (sleeping)" in Path(f"/proc/{inner}/status").read_text(), "it to wait")
        assert inner not in kill_orphans(), "its parent lives"
    finally:
        outer.kill()
        outer.wait()
        for fd in (blocked, go, ours, told):
            os.close(fd)
    killed = kill_orphans()  # or a worker of another test does it
    if mark != MARK:
        assert inner not in killed
        os.kill(inner, signal.SIGKILL)
    until(lambda: not dict(command_lines()).get(inner), "its end")
