"""The life of a domain association: claim its hosts, see a name lead here, be served (behaviour
reference, section 9).

Each function is part of one transaction. `step` is called by the one owner, the worker; the operations
only change what is wanted and leave the rest to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sqlalchemy import Connection

from preamp.model.branches import Branch
from preamp.model.domains import CertificateType, Domain, DomainStatus, SubDomain, UpdateStatus, host_of
from preamp.model.ids import branch_label
from preamp.store import changes, domains
from preamp.store.database import Write
from preamp.store.domains import NewSubDomain

TAKEN = "One or more of the CNAMEs you provided are already associated with a different resource."
"""Amplify's own words (behaviour reference, section 15)."""
AUTO_TAKEN = "The name belongs to another domain association."
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
CADENCE = (
    (5 * MINUTE, 3 * SECOND),
    (HOUR, 30 * SECOND),
    (24 * HOUR, 5 * MINUTE),
)
"""(age of the newest name that is not verified, time between two looks)."""
SLOWEST = 30 * MINUTE


class Claims(Enum):
    """What became of the hosts of an association."""

    OURS = "ours"
    TAKEN = "taken"


def attach(conn: Connection, domain_id: int, *, account: str, wanted: Mapping[str, int], now: int) -> Claims:
    """Make the named subdomains (prefix -> branch id) what is wanted; automatic ones stay.

    Hosts are claimed where they are free. TAKEN: at least one was not; the rows are there all the same.
    """
    domain = domains.get_domain_by_id(conn, domain_id)
    assert domain is not None, "the row was read or made in this transaction"
    known = {sub.prefix: sub for sub in domain.subdomains}
    for prefix, sub in known.items():
        if prefix not in wanted and not sub.is_auto:
            domains.remove_subdomain(conn, domain_id, prefix)
    for prefix, branch_id in wanted.items():
        if prefix in known:
            domains.set_branch(conn, domain_id, prefix, branch_id)
        else:
            new = NewSubDomain(prefix=prefix, host=host_of(prefix, domain.name), branch_id=branch_id)
            domains.add_subdomain(conn, domain_id, new, now=now)
    return _claim_all(conn, domain_id, account=account)


def _claim_all(conn: Connection, domain_id: int, *, account: str) -> Claims:
    domain = domains.get_domain_by_id(conn, domain_id)
    assert domain is not None, "the row was read or made in this transaction"
    result = Claims.OURS
    for sub in domain.subdomains:
        if sub.claimed:
            continue
        if domains.is_taken(conn, sub.host, account=account, except_domain=domain_id):
            result = result if sub.is_auto else Claims.TAKEN
        else:
            domains.claim(conn, domain_id, sub.prefix)
    return result


def begin_update(conn: Connection, domain: Domain, *, certificate: CertificateType | None) -> None:
    """The settings of `domain`, given as it was before, were changed: it is looked at again.

    `certificate`: the new type, when it is another one.
    """
    match domain.status:
        case DomainStatus.CREATING | DomainStatus.REQUESTING_CERTIFICATE:
            return  # what was changed is part of its creation
        case DomainStatus.PENDING_VERIFICATION:
            domains.set_update_status(conn, domain.domain_id, UpdateStatus.PENDING_VERIFICATION)
            return
    domains.move(conn, domain.domain_id, DomainStatus.UPDATING)
    domains.set_update_status(conn, domain.domain_id, _FIRST[certificate])


_FIRST = {
    None: UpdateStatus.PENDING_DEPLOYMENT,
    CertificateType.AMPLIFY_MANAGED: UpdateStatus.REQUESTING_CERTIFICATE,
    CertificateType.CUSTOM: UpdateStatus.IMPORTING_CUSTOM_CERTIFICATE,
}


def attach_new_branch(conn: Connection, branch: Branch, *, account: str, now: int) -> None:
    """Give a new branch a subdomain of every domain of its app that wants one.

    Call it wherever a branch is made, in the same transaction. `foo/bar` becomes `foo-bar`; when that name
    is in use, the branch's own label is taken, which is unique in the app.
    """
    for domain in domains.domains_of_app(conn, branch.app_id):
        if not domain.config.wants_subdomain_of(branch.name):
            continue
        used = {sub.prefix for sub in domain.subdomains}
        if any(sub.branch_id == branch.branch_id for sub in domain.subdomains):
            continue
        free = [label for label in (branch_label(branch.name), branch.label) if label and label not in used]
        if not free:
            continue
        host = host_of(free[0], domain.name)
        taken = domains.is_taken(conn, host, account=account, except_domain=domain.domain_id)
        new = NewSubDomain(
            prefix=free[0], host=host, branch_id=branch.branch_id, is_auto=True, claimed=not taken
        )
        domains.add_subdomain(conn, domain.domain_id, new, now=now)
        if taken:
            domains.set_problem(conn, domain.domain_id, host, AUTO_TAKEN)
        elif domain.status is not DomainStatus.FAILED:
            domains.schedule(conn, domain.domain_id, now)


def step(tx: Write, domain_id: int, *, now: int) -> None:
    """One transition at most, from the facts in the rows, and the time of the next look."""
    conn = tx.conn
    domain = domains.get_domain_by_id(conn, domain_id)
    if domain is None:
        return
    target = _next(domain)
    if target is not None:
        reason = TAKEN if target is DomainStatus.FAILED else None
        domains.move(conn, domain_id, target, status_reason=reason)
        if target is DomainStatus.FAILED:
            domains.release_claims(conn, domain_id)
        if domain.update_status and (update := _UPDATE_STATUS.get(target)):
            domains.set_update_status(conn, domain_id, update)
        # An edge that was told finds everything that this transaction wrote.
        changes.record(tx, domain.app_id, now=now)
        domains.schedule(conn, domain_id, None if target is DomainStatus.FAILED else now + SECOND)
    else:
        domains.schedule(conn, domain_id, _next_look(domain, now))


_UPDATE_STATUS = {
    DomainStatus.PENDING_VERIFICATION: UpdateStatus.PENDING_VERIFICATION,
    DomainStatus.PENDING_DEPLOYMENT: UpdateStatus.PENDING_DEPLOYMENT,
    DomainStatus.AVAILABLE: UpdateStatus.UPDATE_COMPLETE,
}


def _next(domain: Domain) -> DomainStatus | None:
    proven = domain.verified_ms is not None or not domain.subdomains
    match domain.status:
        case DomainStatus.CREATING | DomainStatus.REQUESTING_CERTIFICATE if _is_refused(domain):
            return DomainStatus.FAILED
        case DomainStatus.CREATING if domain.config.certificate_type is CertificateType.AMPLIFY_MANAGED:
            return DomainStatus.REQUESTING_CERTIFICATE
        case DomainStatus.CREATING | DomainStatus.REQUESTING_CERTIFICATE:
            return DomainStatus.PENDING_VERIFICATION
        case DomainStatus.PENDING_VERIFICATION if proven:
            return DomainStatus.PENDING_DEPLOYMENT
        case DomainStatus.PENDING_DEPLOYMENT:
            return DomainStatus.AVAILABLE
        case DomainStatus.UPDATING:
            return DomainStatus.AVAILABLE if proven else DomainStatus.PENDING_VERIFICATION
        case _:
            return None


def _is_refused(domain: Domain) -> bool:
    return any(not sub.claimed and not sub.is_auto for sub in domain.subdomains)


def unverified(domain: Domain) -> list[SubDomain]:
    """The hosts that are to be looked up."""
    if domain.status in {DomainStatus.CREATING, DomainStatus.REQUESTING_CERTIFICATE, DomainStatus.FAILED}:
        return []
    return [sub for sub in domain.subdomains if sub.claimed and sub.verified_ms is None]


def _next_look(domain: Domain, now: int) -> int | None:
    left = unverified(domain)
    if not left:
        return None
    age = now - max(sub.since_ms for sub in left)
    pause = next((pause for until, pause in CADENCE if age < until), SLOWEST)
    return now + pause
