"""Where the server is, and with which key it is called.

`AWS_ENDPOINT_URL_AMPLIFY` in the environment names a server anywhere, and the usual AWS variables or
profiles hold the key. Without it, or with --data, it is the server of a data folder on this machine.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from preamp.cli.errors import CommandError
from preamp.cli.options import load_settings

if TYPE_CHECKING:
    from preamp.model.keys import Key
    from preamp.settings import Settings

ENDPOINT = "AWS_ENDPOINT_URL_AMPLIFY"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A server to call."""

    control_url: str
    region: str
    access_key_id: str | None = None
    """None: botocore finds the key as every AWS client does."""
    secret: str | None = field(default=None, repr=False)
    origin: str = ENDPOINT
    """Where the URL came from, for messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """What the running server of a data folder says about itself in `run/server.json`."""

    control_url: str
    edge_url: str
    pid: int


def find_endpoint(data: Path | None) -> Endpoint:
    """The server to call. Raises CommandError when none is running or its data folder is unusable."""
    url = os.environ.get(ENDPOINT)
    if url and data is None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return Endpoint(control_url=url, region=region)
    settings = load_settings(data=data)
    running = find_running(settings.data)
    if running is None:
        raise CommandError(
            f"no Preamp is running on the data folder {settings.data}; start one with `preamp serve`, "
            f"name another folder with --data, or set {ENDPOINT}"
        )
    key = administrator(settings)
    return Endpoint(
        control_url=running.control_url,
        region=settings.region,
        access_key_id=key.access_key_id,
        secret=key.secret,
        origin=f"the data folder {settings.data}",
    )


def find_running(folder: Path) -> Running | None:
    """The running server of a data folder; None when there is none or it died without saying so."""
    try:
        facts = json.loads((folder / "run" / "server.json").read_text("utf-8"))
        running = Running(control_url=facts["control_url"], edge_url=facts["edge_url"], pid=int(facts["pid"]))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise CommandError(f"the data folder {folder} belongs to another user: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{folder / 'run' / 'server.json'} is damaged ({error}); restart the server"
        ) from error
    return running if _alive(running.pid) else None


def administrator(settings: Settings) -> Key:
    """The key that `preamp env` prints. Raises CommandError before the first start of a server."""
    from preamp.store.folder import DataFolder
    from preamp.store.keys import first_administrator
    from preamp.store.stores import load_master, open_database

    folder = DataFolder(settings.data)
    if settings.database is None and not folder.database.exists():
        raise CommandError(
            f"the data folder {settings.data} has no keys yet: start `preamp serve` on it first, "
            "or name another folder with --data or PREAMP_DATA"
        )
    database = open_database(settings, read_only=True)
    try:
        with database.read() as conn:
            key = first_administrator(conn, load_master(settings))
    finally:
        database.close()
    if key is None:
        raise CommandError(
            f"no administrator key of {settings.data} is enabled; make one with `preamp keys create NAME`"
        )
    return key


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
