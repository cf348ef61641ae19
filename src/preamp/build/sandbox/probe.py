"""Which sandbox this machine offers: tried for real, once at start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from preamp.build.errors import SandboxUnavailable
from preamp.build.sandbox import cgroups, guard
from preamp.build.sandbox.base import FIRST_UID, Rejected, Sandbox, SandboxReport, Tier
from preamp.build.sandbox.bwrap import BwrapSandbox
from preamp.build.sandbox.guarded import GuardedSandbox

PROBE_TIMEOUT_S = 20
SUMMARY = {
    Tier.BWRAP_USERNS: "bubblewrap in a user namespace",
    Tier.BWRAP_SETPRIV: "bubblewrap as root, identity dropped by setpriv inside",
    Tier.UNSHARE: "PID and mount namespaces, files by Landlock",
    Tier.LANDLOCK: "files by Landlock; WEAK: builds see other processes and share the network and IPC",
    Tier.NONE: "NONE: builds run with all rights of Preamp, as the operator allowed (insecure_no_sandbox)",
}
ADVICE = "install bubblewrap (Debian, Ubuntu, Fedora: the package `bubblewrap`)"


def probe(*, insecure_no_sandbox: bool = False, only: Tier | None = None) -> Sandbox:
    """The best sandbox there is; `only` asks for one tier (tests, and operators who want to be sure).

    Raises SandboxUnavailable with the reason per tier. Takes some 20 ms; call once per process.
    """
    hierarchy = cgroups.find()
    cgroups.sweep(hierarchy)
    rejected: list[Rejected] = []
    for tier in Tier:
        if only is not None and tier is not only:
            continue
        problem = _problem(tier, insecure_no_sandbox=insecure_no_sandbox)
        if problem is None:
            return _make(tier, rejected, hierarchy)
        rejected.append(Rejected(tier=tier, reason=problem))
    reasons = "\n".join(f"  {item.tier}: {item.reason}" for item in rejected)
    raise SandboxUnavailable(f"This machine offers no isolation for builds: {ADVICE}.\n{reasons}")


def _make(tier: Tier, rejected: Sequence[Rejected], hierarchy: cgroups.Hierarchy) -> Sandbox:
    root = os.geteuid() == 0
    report = SandboxReport(
        tier=tier,
        summary=SUMMARY[tier],
        rejected=tuple(rejected),
        uid_per_slot=root and tier is not Tier.NONE,
        limits=hierarchy.text,
    )
    if tier in {Tier.BWRAP_USERNS, Tier.BWRAP_SETPRIV}:
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxUnavailable(f"bubblewrap is gone: {ADVICE}")
        return BwrapSandbox(program=program, report=report, hierarchy=hierarchy)
    return GuardedSandbox(report=report, hierarchy=hierarchy)


def _problem(tier: Tier, *, insecure_no_sandbox: bool) -> str | None:
    root = os.geteuid() == 0
    if tier is Tier.NONE:
        return None if insecure_no_sandbox else "not allowed by the setting insecure_no_sandbox"
    if tier in {Tier.BWRAP_USERNS, Tier.BWRAP_SETPRIV}:
        program = shutil.which("bwrap")
        if program is None:
            return "bubblewrap is not installed"
        if tier is Tier.BWRAP_SETPRIV:
            if not root:
                return "needs root"
            if not Path("/usr/bin/setpriv").exists():
                return "setpriv (util-linux) is not installed"
        system = [x for path in ("/usr", "/bin", "/lib", "/lib64") for x in ("--ro-bind-try", path, path)]
        spaces: tuple[str, ...] = ("--unshare-all", "--unshare-user", "--disable-userns", "--share-net")
        if tier is Tier.BWRAP_SETPRIV:
            spaces = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL")
        flags = (*spaces, "--die-with-parent", *system, "--proc", "/proc", "--dev", "/dev")
        return _try([program, *flags, "--", "/bin/sh", "-c", ":"], drop=root and tier is Tier.BWRAP_USERNS)
    if not guard.landlock_abi():
        return "the kernel has no Landlock"
    if tier is Tier.UNSHARE:
        if shutil.which("unshare") is None:
            return "unshare (util-linux) is not installed"
        user = () if root else ("--user", "--map-current-user")
        return _try(
            ["unshare", *user, "--mount", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", ":"], drop=False
        )
    return None


def _try(argv: Sequence[str], *, drop: bool) -> str | None:
    identity = FIRST_UID if drop else None
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": tempfile.gettempdir()},
            user=identity,
            group=identity,
            extra_groups=[] if drop else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
