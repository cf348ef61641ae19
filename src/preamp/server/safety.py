"""Refuse settings that would let anyone in."""

from __future__ import annotations

import socket

from preamp.settings import AuthMode, Settings


class UnsafeSettingError(Exception):
    """The text says which setting and what to do."""


def refuse_open_doors(settings: Settings, control: socket.socket) -> None:
    """Raise UnsafeSettingError for `--auth any` on an address that other machines reach."""
    host = str(control.getsockname()[0])
    loopback = host.startswith("127.") or host == "::1"
    if settings.auth is AuthMode.ANY and not loopback:
        raise UnsafeSettingError(
            f"--auth any lets everyone in and needs a loopback address for --control, not {settings.control}"
        )
