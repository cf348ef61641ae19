"""`preamp domains`: what an operator knows of custom domains and name resolution cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.changing import changing
from preamp.cli.errors import CommandError
from preamp.cli.opened import opened
from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from preamp.model.domains import Domain


@click.group(no_args_is_help=True)
def domains() -> None:
    """Show and verify the custom domains of an app."""


@domains.command("list")
@click.argument("app")
@data_flag
@json_flag
def list_(app: str, data: Path | None, as_json: bool) -> None:
    """List the custom host names of APP, an app id, with what keeps them from being served."""
    from preamp.store.domains import domains_of_app

    with opened(data) as it, it.database.read() as conn:
        _check_app(conn, app)
        found = domains_of_app(conn, app)
    rows = [
        {
            "domain": domain.name,
            "status": domain.status,
            "host": sub.host,
            "branch": sub.branch_name,
            "verified": sub.verified_ms is not None,
            "problem": domain.status_reason or sub.problem,
        }
        for domain in found
        for sub in domain.subdomains
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "verified" if row["verified"] else f"not verified: {row['problem'] or 'not looked up yet'}"
        click.echo(f"{row['host']}  ->  {row['branch']}  {row['status']}  {state}")


@domains.command("verify")
@click.argument("app")
@click.argument("domain")
@data_flag
def verify(app: str, domain: str, data: Path | None) -> None:
    """Take for granted that DOMAIN of APP leads here, and serve it.

    For names that this machine cannot see to be its own: behind a load balancer, a proxy or
    another network's name servers. DOMAIN is a domain association, then all of its host names are
    meant, or one of its host names.
    """
    from preamp.model.domains import normal_domain
    from preamp.model.times import now_ms
    from preamp.store import changes
    from preamp.store import domains as store

    name = normal_domain(domain)
    with changing(data) as it, it.database.write() as tx:
        _check_app(tx.conn, app)
        hosts = _hosts(store.domains_of_app(tx.conn, app), name)
        if not hosts:
            raise CommandError(f"the app {app} has no custom domain {name}; `preamp domains list {app}`")
        if not all(claimed for _, _, claimed in hosts):
            raise CommandError(f"{name} belongs to another domain association; that one has to go first")
        now = now_ms()
        for domain_id, host, _ in hosts:
            store.verify(tx.conn, domain_id, host, now=now)
        changes.record(tx, app, now=now)
    for _, host, _ in hosts:
        click.echo(f"{host} is verified")


def _hosts(found: list[Domain], name: str) -> list[tuple[int, str, bool]]:
    """(domain id, host, whether it is the association's own)."""
    return [
        (domain.domain_id, sub.host, sub.claimed)
        for domain in found
        for sub in domain.subdomains
        if name in {domain.name, sub.host}
    ]


def _check_app(conn: Connection, app: str) -> None:
    from preamp.store.apps import exists

    if not exists(conn, app):
        raise CommandError(f"there is no app {app}")
