"""The control process: the API, presigned files, health."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec

from preamp import __version__
from preamp.api.operations import operations
from preamp.api.services import Services
from preamp.aws.asgi import AwsApp
from preamp.aws.authenticate import AnyKeyAuthenticator, Authenticator, SignatureAuthenticator
from preamp.aws.handlers import OperationBinding
from preamp.aws.page_tokens import PageTokens
from preamp.aws.presign import PREFIX as FILES
from preamp.aws.presign import UrlSigner
from preamp.aws.service import Overrides, load_service
from preamp.engine.wakeups import EmbeddedEngine
from preamp.files.app import FilesApp
from preamp.files.http import Receive, Scope, Send, answer_text, body, start
from preamp.files.links import PURPOSE, FileLinks
from preamp.files.uploads import UploadLimits
from preamp.model.keys import Key
from preamp.server.uvicorn_server import serve_app
from preamp.settings import AuthMode, Settings
from preamp.store import keys
from preamp.store.blobs import LocalBlobs
from preamp.store.database import open_sqlite
from preamp.store.folder import DataFolder
from preamp.store.logs import LogFolder
from preamp.store.sealing import MasterKey

OWN = "/_preamp/"
HEALTH = "/_preamp/health"
# What the wire carries although the service model lacks it (behaviour reference, sections 3.2 and 3.3).
OVERRIDES = Overrides(extra_enum_values={"Stage": ("NONE",)})


class ControlApp:
    """Sends each request to the part that answers it."""

    def __init__(self, *, aws: AwsApp, files: FilesApp) -> None:
        self._aws = aws
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(OWN):
            await self._aws(scope, receive, send)
        elif path == HEALTH:
            await send_health(send, "control")
        elif path.startswith(FILES):
            await self._files(scope, receive, send)
        else:
            await answer_text(send, 404, f"There is nothing at {path}")


async def send_health(send: Send, role: str) -> None:
    """200 with JSON: the process answers."""
    data = msgspec.json.encode({"status": "ok", "role": role, "version": __version__})
    await start(
        send,
        200,
        {
            "content-type": "application/json",
            "content-length": str(len(data)),
            "cache-control": "no-store",
        },
    )
    await body(send, data)


async def run_control(
    settings: Settings,
    sock: socket.socket,
    *,
    edge_port: int,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve on `sock` until `stop` is set and the requests under way are answered."""
    folder = DataFolder(settings.data)
    database = open_sqlite(folder.database)
    master = MasterKey.load(folder.master_key)
    signer = UrlSigner(master.derive(PURPOSE))
    blobs = LocalBlobs(folder.blobs)

    def look_up(access_key_id: str) -> Key | None:
        with database.read() as conn:
            return keys.get_key(conn, master, access_key_id)

    services = Services(
        database=database,
        engine=EmbeddedEngine(folder.run),
        settings=settings,
        folder=folder,
        master=master,
        links=FileLinks(signer),
        tokens=PageTokens(master.derive("page tokens")),
        site_domain=settings.site_domain or f"localhost:{edge_port}",
    )
    authenticator: Authenticator = (
        AnyKeyAuthenticator(account=settings.account_id, region=settings.region)
        if settings.auth is AuthMode.ANY
        else SignatureAuthenticator(look_up, service="amplify")
    )
    aws = AwsApp(
        service=load_service("amplify", overrides=OVERRIDES),
        operations={
            name: OperationBinding(
                function=operation.function,
                input_type=operation.input_type,
                output_type=operation.output_type,
            )
            for name, operation in operations(services).items()
        },
        authenticator=authenticator,
        endpoint=settings.control_url,
    )
    files = FilesApp(
        database=database,
        blobs=blobs,
        logs=LogFolder(folder.logs),
        signer=signer,
        limits=UploadLimits(max_bytes=settings.max_upload_bytes, min_free_bytes=settings.min_free_bytes),
    )
    try:
        await serve_app(ControlApp(aws=aws, files=files), sock, ready=ready, stop=stop)
    finally:
        aws.close()
        database.close()
