"""`preamp serve`: the parent of control, worker, edge and compute host.

It binds the ports, prepares the data folder and watches the children; it serves nothing itself, so that
there is little in it that can fail.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from preamp import __version__
from preamp.server.alone import REFUSALS
from preamp.server.children import Child
from preamp.server.listen import listen_many, port_of, url_of
from preamp.server.logs import configure_logs
from preamp.server.prepare import prepare
from preamp.server.roles import Role
from preamp.server.safety import refuse_open_doors
from preamp.settings import Settings
from preamp.store.folder import DataFolder, FolderError

STOP_MARGIN = 10.0
"""On top of the drain time, before a child is killed."""
LOCK_SECONDS = 5.0
"""How long to wait for the processes of a killed Preamp to be gone."""
ADDRESS_FILE = "server.json"


def main(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Exit status 2: could not begin, the reason is on stderr."""
    configure_logs(settings.log_level, role="serve", form=settings.log_format)
    try:
        return asyncio.run(_main(settings))
    except REFUSALS as error:
        print(f"preamp: {error}", file=sys.stderr)
        return 2


async def _main(settings: Settings) -> int:
    folder = DataFolder(settings.data.absolute())
    settings = settings.model_copy(update={"data": folder.root})
    folder.make()
    lock_fd = await _lock(folder)
    controls = listen_many(settings.control, settings.control_processes, setting="control")
    edges = listen_many(settings.edge, settings.edge_processes, setting="edge")
    refuse_open_doors(settings, controls[0])
    prepare(folder, settings)
    return await _run(settings, folder, controls, edges, lock_fd)


async def _lock(folder: DataFolder) -> int:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return folder.lock()
        except FolderError:
            holder = folder.lock_holder()
            gone = holder is not None and not Path(f"/proc/{holder}").exists()
            if not gone or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def _run(
    settings: Settings,
    folder: DataFolder,
    controls: list[socket.socket],
    edges: list[socket.socket],
    lock_fd: int,
) -> int:
    text = settings.model_dump_json()
    control, edge = controls[0], edges[0]
    slots: list[tuple[Role, socket.socket | None]] = [
        *((Role.CONTROL, sock) for sock in controls),
        (Role.WORKER, None),
        (Role.COMPUTE, None),
        *((Role.EDGE, sock) for sock in edges),
    ]
    children = [
        Child(role=role, settings=text, sock=sock, edge_port=port_of(edge), lock_fd=lock_fd)
        for role, sock in slots
    ]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ready = [asyncio.Event() for _ in children]
    tasks = [
        asyncio.create_task(child.keep_running(event)) for child, event in zip(children, ready, strict=True)
    ]
    announce = asyncio.create_task(_announce(settings, folder, control, edge, ready))
    await stop.wait()
    announce.cancel()
    (folder.run / ADDRESS_FILE).unlink(missing_ok=True)
    grace = settings.drain_seconds + STOP_MARGIN
    await asyncio.gather(*(child.stop(grace) for child in children))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return 0


async def _announce(
    settings: Settings,
    folder: DataFolder,
    control: socket.socket,
    edge: socket.socket,
    ready: list[asyncio.Event],
) -> None:
    for event in ready:
        await event.wait()
    domain = settings.site_domain or f"localhost:{port_of(edge)}"
    address = {
        "pid": os.getpid(),
        "control_url": settings.control_url or url_of(control),
        "edge_url": url_of(edge),
        "site_domain": domain,
        "version": __version__,
    }
    file = folder.run / ADDRESS_FILE
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(address))
    temporary.rename(file)
    print(
        f"""
Preamp {__version__} is ready.

  API      {address["control_url"]}
  Sites    http://<branch>.<appId>.{domain}/
  Data     {folder.root}

In another shell:  eval "$(preamp env --data {folder.root})" && aws amplify list-apps
""",
        flush=True,
    )


def read_address(folder: DataFolder) -> dict[str, str | int] | None:
    """What the running server wrote about itself; None when none runs."""
    with suppress(FileNotFoundError):
        data = (folder.run / ADDRESS_FILE).read_bytes()
        return msgspec.json.decode(data, type=dict[str, str | int])
    return None
