"""One role as a process of its own: `preamp control`, `preamp worker`, `preamp edge`, `preamp compute`."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import uvloop

from preamp.model.errors import DependentServiceFailure
from preamp.server.listen import ListenError, listen, port_of, url_of
from preamp.server.logs import configure_logs
from preamp.server.prepare import prepare
from preamp.server.roles import Role
from preamp.server.run import run_role
from preamp.server.safety import UnsafeSettingError, refuse_open_doors
from preamp.settings import Settings, SettingsError
from preamp.store.folder import DataFolder, FolderError
from preamp.store.migrate import NewerDataError
from preamp.store.sealing import SealError

REFUSALS = (
    FolderError,
    ListenError,
    NewerDataError,
    SealError,
    UnsafeSettingError,
    SettingsError,
    DependentServiceFailure,
)
"""Why a process does not begin: the text says what to do."""


def run_alone(settings: Settings, role: Role) -> int:
    """Run until SIGTERM or SIGINT. Exit status 2: could not begin, the reason is on stderr."""
    configure_logs(settings.log_level, role=role, form=settings.log_format)
    settings = settings.model_copy(update={"data": settings.data.absolute()})
    try:
        sock = _socket(settings, role)
        if role in {Role.EDGE, Role.COMPUTE} and settings.database is not None:
            # They only read, and start also while the database is away.
            DataFolder(settings.data).make()
        else:
            prepare(DataFolder(settings.data), settings)
        uvloop.run(_run(settings, role, sock))
    except REFUSALS as error:
        print(f"preamp: {error}", file=sys.stderr)
        return 2
    return 0


def _socket(settings: Settings, role: Role) -> socket.socket | None:
    match role:
        case Role.CONTROL:
            sock = listen(settings.control, setting="control")
            refuse_open_doors(settings, sock)
            return sock
        case Role.EDGE:
            return listen(settings.edge, setting="edge")
        case Role.WORKER | Role.COMPUTE:
            return None


async def _run(settings: Settings, role: Role, sock: socket.socket | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    where = f" at {url_of(sock)}" if sock else ""

    def ready() -> None:
        print(f"Preamp {role} is ready{where}", flush=True)

    # An edge that runs elsewhere is reached at the port that its setting names.
    edge_port = port_of(sock) if sock and role is Role.EDGE else int(settings.edge.rpartition(":")[2])
    await run_role(role, settings, sock, edge_port=edge_port, ready=ready, stop=stop)
