"""A program of its own, standard library only: runs one command without bubblewrap, kills what it leaves.

Started as `python -I -S guard.py CONFIG_FD CONTROL_FD`. CONFIG_FD holds JSON (see `Config` in
guarded.py). The end of CONTROL_FD means that the worker wants everything dead, or is dead itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import struct
import sys
import time
from typing import Any

PR_SET_NO_NEW_PRIVS = 38
PR_SET_CHILD_SUBREAPER = 36
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
# every right of ABI 1; later ABIs add REFER (2), TRUNCATE (3), IOCTL_DEV (5)
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | (1 << 14) | (1 << 15)
SCOPE_ABI = 6

libc = ctypes.CDLL(None, use_errno=True)


def landlock_abi() -> int:
    """The version of Landlock that the kernel offers; 0: none."""
    return max(int(libc.syscall(CREATE_RULESET, None, 0, 1)), 0)


def restrict(read_only: list[str], writable: list[str]) -> None:
    """Take every other right to files away from this process and its children."""
    abi = landlock_abi()
    if not abi:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock")
    handled = RIGHTS[max(version for version in RIGHTS if version <= abi)]
    # struct landlock_ruleset_attr: access_fs, access_net (ABI 4), scoped (ABI 6: abstract sockets, signals)
    attributes = struct.pack("=QQQ", handled, 0, 3)[: 24 if abi >= SCOPE_ABI else 16 if abi >= 4 else 8]
    ruleset = libc.syscall(CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for paths, rights in ((read_only, EXECUTE | READ_FILE | READ_DIR), (writable, handled)):
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            mask = rights if os.path.isdir(path) else rights & FILE_RIGHTS  # noqa: PTH112 - no imports to spare
            if libc.syscall(ADD_RULE, ruleset, 1, struct.pack("=Qi", mask & handled, fd), 0):
                raise OSError(ctypes.get_errno(), f"landlock_add_rule {path}")
            os.close(fd)
    if libc.syscall(RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def become(uid: int | None) -> None:
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def child(config: dict[str, Any]) -> None:
    """Never returns: becomes the command."""
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
        if config["landlock"]:
            restrict(config["read_only"], config["writable"])
        become(config["uid"])
        os.chdir(config["cwd"])
        os.execvpe(config["argv"][0], config["argv"], config["environment"])  # noqa: S606 - the point of this program
    except OSError as error:
        os.write(2, f"the sandbox cannot run {config['argv'][0]}: {error}\n".encode())
    os._exit(126)


def descendants() -> list[int]:
    """Our children's trees; an orphan of theirs is our child, because we are the reaper."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - no imports to spare
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123 - no imports to spare
                    parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    found = {os.getpid()}
    grown = True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if parent in found and pid not in found:
                found.add(pid)
                grown = True
    return list(found - {os.getpid()})


def kill_everything(uid: int | None) -> None:
    """Until nothing is left."""
    while True:
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        elif uid is not None:
            killer = os.fork()
            if killer == 0:
                become(uid)
                try:
                    os.kill(-1, signal.SIGKILL)
                finally:
                    os._exit(0)
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def main() -> int:
    config_fd, control_fd = int(sys.argv[1]), int(sys.argv[2])
    with open(config_fd, "rb") as file:
        config = json.load(file)
    os.set_inheritable(control_fd, False)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_r, wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main_child = os.fork()
    if main_child == 0:
        child(config)
    code = 128 + signal.SIGKILL
    running = True
    while running:
        readable, _, _ = select.select([wake_r, control_fd], [], [])
        if control_fd in readable:
            break
        os.read(wake_r, 4096)
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == main_child:
                    value = os.waitstatus_to_exitcode(status)
                    code = value if value >= 0 else 128 - value
                    running = False
        except ChildProcessError:
            break
    kill_everything(config["uid"])
    return code


if __name__ == "__main__":
    sys.exit(main())
