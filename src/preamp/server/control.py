"""The control process: the API, presigned files, incoming webhooks, health."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from preamp import __version__
from preamp.api.operations import operations
from preamp.api.permissions import permission_for
from preamp.api.services import Services
from preamp.aws.asgi import AwsApp
from preamp.aws.authenticate import AnyKeyAuthenticator, Authenticator, SignatureAuthenticator
from preamp.aws.authorise import Authoriser, ResourceResolver
from preamp.aws.chain import Observer
from preamp.aws.handlers import OperationBinding
from preamp.aws.page_tokens import PageTokens
from preamp.aws.policies import Target
from preamp.aws.policy_conditions import Facts
from preamp.aws.presign import PREFIX as FILES
from preamp.aws.presign import UrlSigner
from preamp.aws.service import Overrides, load_service
from preamp.engine.interface import Engine
from preamp.engine.wakeups import DistributedEngine, EmbeddedEngine
from preamp.files.app import FilesApp
from preamp.files.http import Receive, Scope, Send, answer_json, answer_text
from preamp.files.links import PURPOSE, FileLinks
from preamp.files.uploads import UploadLimits
from preamp.hooks.app import HooksApp
from preamp.model.caller import Scope as CallerScope
from preamp.model.keys import Key
from preamp.server.audit import AuditLog
from preamp.server.explain import PATH as EXPLAIN
from preamp.server.explain import ExplainApp
from preamp.server.known_keys import KnownKeys
from preamp.server.metrics import PATH as METRICS
from preamp.server.metrics import MetricsApp
from preamp.server.own import OwnApi
from preamp.server.queue import QueueView
from preamp.server.switches import Switches
from preamp.server.traced_calls import observe_calls
from preamp.server.uvicorn_server import serve_app
from preamp.settings import AuthMode, Settings
from preamp.store import keys
from preamp.store.folder import DataFolder
from preamp.store.stores import Stores, load_master, open_stores
from preamp.tracing import open_tracing

OWN = "/_preamp/"
HEALTH = "/_preamp/health"
# What the wire carries although the service model lacks it (behaviour reference, sections 3.2 and 3.3).
# The prefix of a domain itself is empty and left out (section 9).
OVERRIDES = Overrides(extra_enum_values={"Stage": ("NONE",)}, optional=frozenset({"SubDomainSetting.prefix"}))


class ControlApp:
    """Sends each request to the part that answers it."""

    def __init__(
        self,
        *,
        aws: AwsApp,
        files: FilesApp,
        hooks: HooksApp,
        explain: ExplainApp,
        own: OwnApi,
        metrics: MetricsApp,
    ) -> None:
        self._aws = aws
        self._metrics = metrics
        self._own = own
        self._explain = explain
        self._files = files
        self._hooks = hooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http":
            await self._aws(scope, receive, send)
        elif self._hooks.serves(scope):
            await self._hooks(scope, receive, send)
        elif not path.startswith(OWN):
            await self._aws(scope, receive, send)
        elif path == HEALTH:
            await send_health(send, "control")
        elif path == EXPLAIN:
            await self._explain(scope, receive, send)
        elif path == METRICS:
            await self._metrics(scope, send)
        elif self._own.serves(path):
            await self._own(scope, receive, send)
        elif path.startswith(FILES):
            await self._files(scope, receive, send)
        else:
            await answer_text(send, 404, f"There is nothing at {path}")


async def send_health(send: Send, role: str) -> None:
    """200 with JSON: the process answers."""
    await answer_json(send, {"status": "ok", "role": role, "version": __version__})


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """Everything of the control process but its socket."""

    services: Services
    stores: Stores
    aws: AwsApp
    app: ControlApp
    audit: AuditLog

    def close(self) -> None:
        """Wait for the operations that run, and let go of the database."""
        self.aws.close()
        self.audit.close()
        self.stores.close()


def assemble(
    settings: Settings, *, edge_port: int, engine: Engine, observers: Sequence[Observer] = ()
) -> Control:
    """The control process on a prepared data folder."""
    folder = DataFolder(settings.data)
    stores = open_stores(settings)
    database = stores.database
    master = load_master(settings)
    signer = UrlSigner(master.derive(PURPOSE))
    services = Services(
        database=database,
        engine=engine,
        settings=settings,
        folder=folder,
        master=master,
        links=FileLinks(signer),
        tokens=PageTokens(master.derive("page tokens")),
        site_domain=settings.site_domain or f"localhost:{edge_port}",
    )
    audit = AuditLog(database)
    authenticator, authoriser = _authenticator(services), Authoriser(resolver(services))
    aws = AwsApp(
        service=load_service("amplify", overrides=OVERRIDES),
        operations=bindings(services),
        authenticator=authenticator,
        authoriser=authoriser,
        endpoint=settings.control_url,
        observers=(*observers, audit.observe),
    )
    files = FilesApp(
        database=database,
        blobs=stores.blobs,
        logs=stores.logs,
        access_logs=stores.access_logs,
        signer=signer,
        limits=UploadLimits(max_bytes=settings.max_upload_bytes, min_free_bytes=settings.min_free_bytes),
    )
    explain = ExplainApp(
        database=database,
        blobs=stores.blobs,
        authenticator=authenticator,
        authoriser=authoriser,
        site_domain=services.site_domain,
        skew_releases=settings.skew_releases,
    )
    own = OwnApi(
        {
            **Switches(database=database, blobs=stores.blobs).endpoints(),
            **QueueView(database=database, concurrent_jobs=settings.concurrent_jobs).endpoints(),
        },
        authenticator=authenticator,
        authoriser=authoriser,
        on_change=audit.record,
    )
    metrics = MetricsApp(database=database, run_folder=folder.run, token=settings.metrics_token)
    hooks = HooksApp(services, on_call=audit.called)
    app = ControlApp(aws=aws, files=files, hooks=hooks, explain=explain, own=own, metrics=metrics)
    return Control(services=services, stores=stores, aws=aws, app=app, audit=audit)


def bindings(services: Services, *, inline: bool = False) -> dict[str, OperationBinding]:
    """The operations as the wire layer takes them; `inline`: all on the event loop, for tests.

    Reads of an embedded database are done on the loop in any case: they take less than handing them to a
    thread does, and never wait for a writer.
    """
    methods = {name: operation.method for name, operation in load_service("amplify").operations.items()}
    quick = not services.database.is_shared
    return {
        name: OperationBinding(
            function=operation.function,
            input_type=operation.input_type,
            output_type=operation.output_type,
            inline=inline or (quick and methods[name] == "GET"),
        )
        for name, operation in operations(services).items()
    }


def resolver(services: Services) -> ResourceResolver:
    """What a request needs permission for, in the wire layer's types."""

    def resolve(*, operation: str, scope: CallerScope, request: Any) -> Target:
        needed = permission_for(services, operation=operation, scope=scope, request=request)
        return Target(
            action=needed.action,
            resources=needed.resources,
            facts=Facts(
                request_tags=needed.request_tags,
                resource_tags=needed.resource_tags,
                tag_keys=needed.tag_keys,
            ),
        )

    return resolve


def _authenticator(services: Services) -> Authenticator:
    settings = services.settings
    if settings.auth is AuthMode.ANY:
        return AnyKeyAuthenticator(account=settings.account_id, region=settings.region)

    def look_up(access_key_id: str) -> Key | None:
        with services.database.read() as conn:
            return keys.get_key(conn, services.master, access_key_id)

    return SignatureAuthenticator(KnownKeys(look_up), service="amplify")


async def run_control(
    settings: Settings,
    sock: socket.socket,
    *,
    edge_port: int,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve on `sock` until `stop` is set and the requests under way are answered."""
    engine = DistributedEngine() if settings.database else EmbeddedEngine(DataFolder(settings.data).run)
    tracing = open_tracing("control")
    observers = (observe_calls(tracing),) if tracing else ()
    control = assemble(settings, edge_port=edge_port, engine=engine, observers=observers)
    try:
        await serve_app(control.app, sock, ready=ready, stop=stop)
    finally:
        control.close()
        if tracing is not None:
            tracing.close()
