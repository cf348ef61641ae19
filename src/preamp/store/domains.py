"""Domain associations and their subdomains: named queries. Every change of a status is guarded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from preamp.model.domains import (
    WILDCARD,
    Domain,
    DomainConfig,
    DomainStatus,
    SubDomain,
    UpdateStatus,
    sources_of,
    wildcard_of,
)
from preamp.store import documents
from preamp.store.tables import apps, branches, domains, subdomains


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSubDomain:
    """A subdomain to be stored."""

    prefix: str
    host: str
    branch_id: int
    is_auto: bool = False
    claimed: bool = False


def insert_domain(conn: Connection, *, app_id: str, name: str, config: DomainConfig, now: int) -> int:
    """Its id; the status is CREATING. `name` must be free in the app (IntegrityError otherwise)."""
    domain_id = conn.scalar(
        insert(domains)
        .values(
            app_id=app_id,
            name=name,
            config=documents.encode(config),
            status=DomainStatus.CREATING,
            next_check_ms=now,
            created_ms=now,
            updated_ms=now,
        )
        .returning(domains.c.domain_id)
    )
    assert domain_id is not None, "an insert returns its row"
    return int(domain_id)


def get_domain(conn: Connection, app_id: str, name: str) -> Domain | None:
    return _one(conn, (domains.c.app_id == app_id) & (domains.c.name == name))


def get_domain_by_id(conn: Connection, domain_id: int) -> Domain | None:
    return _one(conn, domains.c.domain_id == domain_id)


def page_domains(conn: Connection, app_id: str, *, after: int, limit: int) -> list[Domain]:
    """In creation order; a next page goes on after the last `domain_id`."""
    rows = conn.execute(
        select(domains)
        .where(domains.c.app_id == app_id, domains.c.domain_id > after)
        .order_by(domains.c.domain_id)
        .limit(limit)
    ).mappings()
    return _domains(conn, rows.all())


def domains_of_app(conn: Connection, app_id: str) -> list[Domain]:
    rows = conn.execute(select(domains).where(domains.c.app_id == app_id).order_by(domains.c.domain_id))
    return _domains(conn, rows.mappings().all())


def count_domains(conn: Connection, app_id: str) -> int:
    return conn.scalar(select(func.count()).where(domains.c.app_id == app_id)) or 0


def due(conn: Connection, *, now: int) -> list[int]:
    """The ids of the associations that are to be looked at, longest waiting first."""
    rows = conn.execute(
        select(domains.c.domain_id).where(domains.c.next_check_ms <= now).order_by(domains.c.next_check_ms)
    )
    return [row[0] for row in rows]


def schedule(conn: Connection, domain_id: int, next_check_ms: int | None) -> None:
    conn.execute(update(domains).where(domains.c.domain_id == domain_id).values(next_check_ms=next_check_ms))


def update_config(conn: Connection, domain_id: int, config: DomainConfig, *, now: int) -> None:
    conn.execute(
        update(domains)
        .where(domains.c.domain_id == domain_id)
        .values(config=documents.encode(config), updated_ms=now, next_check_ms=now)
    )


def update_tags(conn: Connection, domain_id: int, tags: Mapping[str, str]) -> None:
    conn.execute(update(domains).where(domains.c.domain_id == domain_id).values(tags=documents.encode(tags)))


def move(conn: Connection, domain_id: int, target: DomainStatus, *, status_reason: str | None = None) -> bool:
    """Enter a status. False when the association is not where that is possible, or gone."""
    done = conn.execute(
        update(domains)
        .where(domains.c.domain_id == domain_id, domains.c.status.in_(sources_of(target)))
        .values(status=target, status_reason=status_reason)
    )
    return done.rowcount == 1


def set_update_status(conn: Connection, domain_id: int, status: UpdateStatus) -> None:
    conn.execute(update(domains).where(domains.c.domain_id == domain_id).values(update_status=status))


def delete_domain(conn: Connection, domain_id: int) -> None:
    """Its subdomains go with it."""
    conn.execute(delete(domains).where(domains.c.domain_id == domain_id))


def add_subdomain(conn: Connection, domain_id: int, new: NewSubDomain, *, now: int) -> None:
    conn.execute(
        insert(subdomains).values(
            domain_id=domain_id,
            prefix=new.prefix,
            host=new.host,
            branch_id=new.branch_id,
            is_auto=new.is_auto,
            claimed=new.claimed,
            since_ms=now,
        )
    )


def set_branch(conn: Connection, domain_id: int, prefix: str, branch_id: int) -> None:
    """Show another branch, as the client asked; what is known of the host stays."""
    conn.execute(
        update(subdomains)
        .where(subdomains.c.domain_id == domain_id, subdomains.c.prefix == prefix)
        .values(branch_id=branch_id, is_auto=False)
    )


def remove_subdomain(conn: Connection, domain_id: int, prefix: str) -> None:
    conn.execute(delete(subdomains).where(subdomains.c.domain_id == domain_id, subdomains.c.prefix == prefix))


def claim(conn: Connection, domain_id: int, prefix: str) -> None:
    """Take the host of a subdomain; `is_taken` was asked before, in this transaction."""
    conn.execute(
        update(subdomains)
        .where(subdomains.c.domain_id == domain_id, subdomains.c.prefix == prefix)
        .values(claimed=True)
    )


def release_claims(conn: Connection, domain_id: int) -> None:
    """A failed association holds no host."""
    conn.execute(update(subdomains).where(subdomains.c.domain_id == domain_id).values(claimed=False))


def is_taken(conn: Connection, host: str, *, account: str, except_domain: int | None = None) -> bool:
    """Whether another association has the host, or, in another account, a wildcard over or under it."""
    rows = (
        select(subdomains.c.host)
        .join(domains, domains.c.domain_id == subdomains.c.domain_id)
        .join(apps, apps.c.app_id == domains.c.app_id)
        .where(subdomains.c.claimed)
    )
    if except_domain is not None:
        rows = rows.where(subdomains.c.domain_id != except_domain)
    if conn.execute(rows.where(subdomains.c.host == host)).first() is not None:
        return True
    strangers = rows.where(apps.c.account != account)
    if host.startswith(f"{WILDCARD}."):
        below = conn.scalars(strangers.where(subdomains.c.host.endswith(host[1:], autoescape=True)))
        return any(wildcard_of(other) == host for other in below)
    return conn.execute(strangers.where(subdomains.c.host == wildcard_of(host))).first() is not None


def verify(conn: Connection, domain_id: int, host: str, *, now: int) -> bool:
    """Note that a claimed host leads here, for good. False when that was known, or it is gone."""
    done = conn.execute(
        update(subdomains)
        .where(
            subdomains.c.domain_id == domain_id,
            subdomains.c.host == host,
            subdomains.c.claimed,
            subdomains.c.verified_ms.is_(None),
        )
        .values(verified_ms=now, problem=None)
    )
    if done.rowcount != 1:
        return False
    conn.execute(
        update(domains)
        .where(domains.c.domain_id == domain_id)
        .values(verified_ms=func.coalesce(domains.c.verified_ms, now), next_check_ms=now)
    )
    return True


def set_problem(conn: Connection, domain_id: int, host: str, problem: str) -> None:
    """Why a host is not verified."""
    conn.execute(
        update(subdomains)
        .where(
            subdomains.c.domain_id == domain_id,
            subdomains.c.host == host,
            subdomains.c.verified_ms.is_(None),
        )
        .values(problem=problem)
    )


def hosts_of_branches(conn: Connection, branch_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
    """The custom hosts of some branches, by host name; without those that belong to someone else."""
    rows = conn.execute(
        select(subdomains.c.branch_id, subdomains.c.host)
        .where(subdomains.c.branch_id.in_(tuple(branch_ids)), subdomains.c.claimed)
        .order_by(subdomains.c.host)
    )
    found: dict[int, tuple[str, ...]] = {}
    for branch_id, host in rows:
        found[branch_id] = (*found.get(branch_id, ()), host)
    return found


def _one(conn: Connection, condition: ColumnElement[bool]) -> Domain | None:
    found = _domains(conn, conn.execute(select(domains).where(condition)).mappings().all())
    return found[0] if found else None


def _domains(conn: Connection, rows: Sequence[RowMapping]) -> list[Domain]:
    below: dict[int, list[SubDomain]] = defaultdict(list)
    found = conn.execute(
        select(subdomains, branches.c.name.label("branch_name"))
        .join(branches, branches.c.branch_id == subdomains.c.branch_id)
        .where(subdomains.c.domain_id.in_([row["domain_id"] for row in rows]))
        .order_by(subdomains.c.is_auto, subdomains.c.prefix)
    )
    for row in found.mappings():
        below[row["domain_id"]].append(_subdomain(row))
    return [_domain(row, tuple(below[row["domain_id"]])) for row in rows]


def _subdomain(row: RowMapping) -> SubDomain:
    return SubDomain(
        prefix=row["prefix"],
        branch_id=row["branch_id"],
        branch_name=row["branch_name"],
        host=row["host"],
        is_auto=row["is_auto"],
        claimed=row["claimed"],
        since_ms=row["since_ms"],
        verified_ms=row["verified_ms"],
        problem=row["problem"],
    )


def _domain(row: RowMapping, below: tuple[SubDomain, ...]) -> Domain:
    update_status = row["update_status"]
    return Domain(
        domain_id=row["domain_id"],
        app_id=row["app_id"],
        name=row["name"],
        config=documents.decode(row["config"], DomainConfig),
        status=DomainStatus(row["status"]),
        update_status=UpdateStatus(update_status) if update_status else None,
        status_reason=row["status_reason"],
        verified_ms=row["verified_ms"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        subdomains=below,
        tags=documents.decode_map(row["tags"]),
    )
