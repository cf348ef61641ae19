"""Mounts that only this process and its children see, made by the kernel's own calls.

They end with the last of these processes, however it ends: nothing has to be cleaned up after a crash.
Standard library only: this file is also a program of its own, see `rehearse`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 1 << 19
_MNT_DETACH = 2
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
"""The same numbers on every architecture."""
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = 1, 4
_ATTR_RDONLY, _ATTR_IDMAP = 1, 0x100000

_libc = ctypes.CDLL(None, use_errno=True)


class _State:
    """Of this process."""

    own = False
    reason = "this process did not ask for mounts of its own"


def isolate() -> None:
    """Give this process mounts of its own, if it may. Mounts that the machine makes later still arrive.

    Call in the main thread, before there are others: threads keep what they began with.
    """
    if _State.own:
        return
    try:
        if os.geteuid() != 0:
            rehearse()
        _enter()
    except OSError as error:
        _State.reason = f"mounts of its own are not allowed here: {error}"
    else:
        _State.own = True


def _enter() -> None:
    """Without root that takes a user namespace, in which our user is who it was."""
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_CLONE_NEWNS | (_CLONE_NEWUSER if user else 0)), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None), "mount --make-rslave /")


def rehearse() -> None:
    """Try it all in another process, for there is no way back out of a user namespace. Raises OSError.

    Some systems let everybody make one, and then allow nothing in it, not even a sandbox.
    """
    program = [sys.executable, "-I", "-S", __file__]
    try:
        done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise OSError("it takes too long") from error
    if done.returncode:
        raise OSError(done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}")


def _rehearsal() -> None:
    _enter()
    with tempfile.TemporaryDirectory() as name:
        places = [Path(name) / part for part in ("lower", "upper", "work", "place")]
        for place in places:
            place.mkdir()
        lower, upper, work, place = places
        overlay(lower=lower, upper=upper, work=work, place=place)
        unmount(place)
    if program := shutil.which("bwrap"):
        space = ("--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/")
        subprocess.run([program, *space, "--", "/bin/true"], check=True)


def refusal() -> str | None:
    """Why there can be no mounts; `None`: there can."""
    return None if _State.own else _State.reason


def bind(folder: Path, place: Path) -> None:
    """Show `folder` at `place` too. Raises OSError."""
    _check(_libc.mount(os.fsencode(folder), os.fsencode(place), None, _MS_BIND, None), f"bind {folder}")


def unmount(place: Path) -> None:
    """Take away what is mounted at `place`. Raises OSError."""
    _check(_libc.umount2(os.fsencode(place), _MNT_DETACH), f"umount {place}")


def show_as(folder: Path, place: Path, *, owner: int, appears: int) -> None:
    """Show `folder` at `place`, read-only; what belongs to user and group `owner` belongs to `appears` there.

    Raises OSError where the kernel (before 5.12) or the file system cannot do it.
    """
    names = _user_namespace(owner, appears)
    try:
        flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
        tree = _check(_libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(folder), flags), "open_tree")
        try:
            # struct mount_attr: attr_set, attr_clr, propagation, userns_fd
            attributes = struct.pack("=QQQQ", _ATTR_RDONLY | _ATTR_IDMAP, 0, 0, names)
            done = _libc.syscall(
                _MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, ctypes.c_size_t(len(attributes))
            )
            _check(done, "mount_setattr")
            done = _libc.syscall(
                _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(place), _MOVE_MOUNT_F_EMPTY_PATH
            )
            _check(done, "move_mount")
        finally:
            os.close(tree)
    finally:
        os.close(names)


def overlay(*, lower: Path, upper: Path, work: Path, place: Path) -> None:
    """Show `upper` over `lower` at `place`: `lower` is never written. work: an empty folder beside `upper`.

    The paths may hold neither of `,:\\`. Raises OSError.
    """
    for path in (lower, upper, work):
        if set(",:\\") & set(str(path)):
            raise OSError(f"{path} cannot be part of an overlay")
    root = os.geteuid() == 0
    # without these attributes a removed folder could not be made again; the kernel says so only then
    os.setxattr(work, "trusted.preamp" if root else "user.preamp", b"1")
    # redirect_dir: to rename a folder of `lower` is not to copy it; only root may have that
    kind = "redirect_dir=on" if root else "userxattr"
    # volatile: nothing here outlives a crash, so no syncs
    options = f"lowerdir={lower},upperdir={upper},workdir={work},{kind},index=off,volatile"
    _check(_libc.mount(b"overlay", os.fsencode(place), b"overlay", 0, options.encode()), "mount overlay")


def _user_namespace(inside: int, outside: int) -> int:
    """A descriptor of a user namespace with one user and one group."""
    holder = subprocess.Popen(
        ["unshare", "--user", "--", "/bin/sh", "-c", "echo; read -r _"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    with holder:
        assert holder.stdout is not None, "it is a pipe"
        if not holder.stdout.readline():
            raise OSError("user namespaces are not allowed here")
        for kind in ("uid", "gid"):
            Path(f"/proc/{holder.pid}/{kind}_map").write_text(f"{inside} {outside} 1\n")
        return os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


if __name__ == "__main__":
    _rehearsal()
