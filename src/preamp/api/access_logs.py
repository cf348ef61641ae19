"""GenerateAccessLogs (behaviour reference, sections 3.4 and 7.9)."""

from __future__ import annotations

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_app
from preamp.api.services import Services
from preamp.model.caller import Caller
from preamp.model.domains import normal_domain
from preamp.model.errors import BadRequest, NotFound
from preamp.model.times import milliseconds, now_ms
from preamp.store import branches, domains
from preamp.store.access_logs import Window

HOUR_MS = 3_600_000
DEFAULT_MS = 24 * HOUR_MS
"""How far back a request without a start goes; Amplify's own is not documented."""
LONGEST_MS = 14 * 24 * HOUR_MS


def generate_access_logs(
    services: Services, caller: Caller, request: shapes.GenerateAccessLogsRequest
) -> shapes.GenerateAccessLogsResult:
    """`domainName`: the app's default domain or a custom domain, with all hosts below it, or one host.

    The URL gives what is in the log when it is opened.
    """
    name = normal_domain(request.domain_name)
    with services.database.read() as conn:
        app = find_app(conn, caller, request.app_id)
        known = name in _names(services, conn, app.app_id)
    if not known:
        raise NotFound(f"Domain {request.domain_name} not found")
    start, end = request.start_time, request.end_time
    window = _window(
        None if start is None else milliseconds(start),
        None if end is None else milliseconds(end),
        now=now_ms(),
    )
    return shapes.GenerateAccessLogsResult(
        log_url=services.links.access_log(caller.endpoint, app.app_id, name, window)
    )


def _names(services: Services, conn: Connection, app_id: str) -> set[str]:
    default = f"{app_id}.{services.site_domain.partition(':')[0]}"
    names = {default}
    names.update(f"{branch.label}.{default}" for branch in branches.branches_of_apps(conn, [app_id]))
    for domain in domains.domains_of_app(conn, app_id):
        names.add(domain.name)
        names.update(sub.host for sub in domain.subdomains if sub.claimed)
    return names


def _window(start_ms: int | None, end_ms: int | None, *, now: int) -> Window:
    end = now if end_ms is None else end_ms
    start = end - DEFAULT_MS if start_ms is None else start_ms
    if start > end:
        raise BadRequest("The startTime must not be later than the endTime.")
    if end - start > LONGEST_MS:
        raise BadRequest("The time range is too large: at most two weeks can be asked for at once.")
    # Before 1970 there are no logs, and no folder names for them.
    return Window(first_s=max(0, start // 1000), last_s=max(0, end // 1000))
