"""Create-, Get-, Delete- and ListBackendEnvironments (behaviour reference, sections 3.4 and 15)."""

from __future__ import annotations

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_app
from preamp.api.pages import page_of
from preamp.api.services import Services
from preamp.model.apps import App
from preamp.model.arns import Resource, ResourceKind
from preamp.model.backend_environments import BackendEnvironment
from preamp.model.caller import Caller
from preamp.model.errors import BadRequest, NotFound
from preamp.model.times import now_ms, seconds
from preamp.store import backend_environments

MAX_STACK_NAME = 255


def create_backend_environment(
    services: Services, caller: Caller, request: shapes.CreateBackendEnvironmentRequest
) -> shapes.CreateBackendEnvironmentResult:
    """Names that are not given are filled in: clients look them up (section 15)."""
    name = request.environment_name
    now = now_ms()
    with services.database.write() as tx:
        app = find_app(tx.conn, caller, request.app_id)
        if backend_environments.get_environment(tx.conn, app.app_id, name) is not None:
            raise BadRequest(
                "Failed to create backend environment. "
                f"The environment {name[:100]} already exists for the app {app.app_id}"
            )
        stack = f"amplify-{app.app_id}-{name}"[:MAX_STACK_NAME]
        environment = BackendEnvironment(
            app_id=app.app_id,
            name=name,
            stack_name=request.stack_name or stack,
            deployment_artifacts=request.deployment_artifacts or f"{stack}-deployment",
            created_ms=now,
            updated_ms=now,
        )
        backend_environments.insert_environment(tx.conn, environment)
    return shapes.CreateBackendEnvironmentResult(backend_environment=_present(app, environment))


def get_backend_environment(
    services: Services, caller: Caller, request: shapes.GetBackendEnvironmentRequest
) -> shapes.GetBackendEnvironmentResult:
    with services.database.read() as conn:
        app, environment = _find(conn, caller, request.app_id, request.environment_name)
    return shapes.GetBackendEnvironmentResult(backend_environment=_present(app, environment))


def delete_backend_environment(
    services: Services, caller: Caller, request: shapes.DeleteBackendEnvironmentRequest
) -> shapes.DeleteBackendEnvironmentResult:
    with services.database.write() as tx:
        app, environment = _find(tx.conn, caller, request.app_id, request.environment_name)
        backend_environments.delete_environment(tx.conn, app.app_id, environment.name)
    return shapes.DeleteBackendEnvironmentResult(backend_environment=_present(app, environment))


def list_backend_environments(
    services: Services, caller: Caller, request: shapes.ListBackendEnvironmentsRequest
) -> shapes.ListBackendEnvironmentsResult:
    page = page_of(
        services,
        caller,
        operation="ListBackendEnvironments",
        parent=request.app_id,
        max_results=request.max_results,
        next_token=request.next_token,
    )
    with services.database.read() as conn:
        app = find_app(conn, caller, request.app_id)
        rows = backend_environments.page_environments(
            conn,
            app.app_id,
            name=request.environment_name,
            after=page.after or 0,
            limit=page.limit + 1,
        )
    found, token = page.cut(rows)
    return shapes.ListBackendEnvironmentsResult(
        backend_environments=tuple(_present(app, environment) for environment in found), next_token=token
    )


def _find(conn: Connection, caller: Caller, app_id: str, name: str) -> tuple[App, BackendEnvironment]:
    app = find_app(conn, caller, app_id)
    environment = backend_environments.get_environment(conn, app.app_id, name)
    if environment is None:
        raise NotFound(f"Backend environment {name[:200]} not found.")
    return app, environment


def _present(app: App, environment: BackendEnvironment) -> shapes.BackendEnvironment:
    resource = Resource(kind=ResourceKind.BACKEND_ENVIRONMENT, app_id=app.app_id, name=environment.name)
    return shapes.BackendEnvironment(
        backend_environment_arn=resource.arn(app.scope),
        environment_name=environment.name,
        stack_name=environment.stack_name,
        deployment_artifacts=environment.deployment_artifacts,
        create_time=seconds(environment.created_ms),
        update_time=seconds(environment.updated_ms),
    )
