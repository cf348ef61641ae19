"""Create, Get, Update, Delete and List of domain associations (behaviour reference, section 9).

Operations store what is wanted; the worker looks names up and moves the status on (`engine.domains`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.domain_records import present_domain
from preamp.api.find import find_app
from preamp.api.limits import refuse_over
from preamp.api.pages import page_of
from preamp.api.services import Services
from preamp.engine.domains import TAKEN, Claims, attach, begin_update
from preamp.model.apps import App
from preamp.model.caller import Caller
from preamp.model.domains import (
    APEX,
    MAX_HOST,
    CertificateType,
    Domain,
    DomainConfig,
    host_of,
    is_prefix,
    normal_domain,
)
from preamp.model.errors import BadRequest, NotFound
from preamp.model.quotas import Quota
from preamp.model.times import now_ms
from preamp.store import branches, changes, domains
from preamp.store.database import Write


def create_domain_association(
    services: Services, caller: Caller, request: shapes.CreateDomainAssociationRequest
) -> shapes.CreateDomainAssociationResult:
    """CREATING. A host that another association has makes it FAILED a moment later, as at AWS."""
    name = normal_domain(request.domain_name)
    now = now_ms()
    with services.database.write() as tx:
        app = find_app(tx.conn, caller, request.app_id)
        _refuse_own_name(services, name)
        if domains.get_domain(tx.conn, app.app_id, name) is not None:
            raise BadRequest(f"The domain {name} is already associated with the app {app.app_id}.")
        refuse_over(
            tx.conn,
            caller.scope,
            Quota.DOMAINS_PER_APP,
            have=lambda: domains.count_domains(tx.conn, app.app_id),
            message="You have reached the maximum number of domains in this app.",
        )
        domain_id = domains.insert_domain(
            tx.conn, app_id=app.app_id, name=name, config=_changed(DomainConfig(), request), now=now
        )
        _attach(tx, caller, app, domain_id, name, request.sub_domain_settings, now=now)
        created = _read(tx.conn, domain_id)
    return shapes.CreateDomainAssociationResult(domain_association=present_domain(services, app, created))


def get_domain_association(
    services: Services, caller: Caller, request: shapes.GetDomainAssociationRequest
) -> shapes.GetDomainAssociationResult:
    with services.database.read() as conn:
        app, domain = find_domain(conn, caller, request.app_id, request.domain_name)
    return shapes.GetDomainAssociationResult(domain_association=present_domain(services, app, domain))


def update_domain_association(
    services: Services, caller: Caller, request: shapes.UpdateDomainAssociationRequest
) -> shapes.UpdateDomainAssociationResult:
    """An absent member changes nothing; `subDomainSettings` replaces the subdomains that a client named.

    Also the way to try a FAILED association again.
    """
    now = now_ms()
    with services.database.write() as tx:
        app, domain = find_domain(tx.conn, caller, request.app_id, request.domain_name)
        config = _changed(domain.config, request)
        domains.update_config(tx.conn, domain.domain_id, config, now=now)
        settings = request.sub_domain_settings
        if settings is None:
            settings = tuple(
                shapes.SubDomainSetting(prefix=sub.prefix, branch_name=sub.branch_name)
                for sub in domain.subdomains
                if not sub.is_auto
            )
        if _attach(tx, caller, app, domain.domain_id, domain.name, settings, now=now) is Claims.TAKEN:
            raise BadRequest(TAKEN)
        changed = config.certificate_type is not domain.config.certificate_type
        begin_update(tx.conn, domain, certificate=config.certificate_type if changed else None)
        changes.record(tx, app.app_id, now=now)
        updated = _read(tx.conn, domain.domain_id)
    return shapes.UpdateDomainAssociationResult(domain_association=present_domain(services, app, updated))


def delete_domain_association(
    services: Services, caller: Caller, request: shapes.DeleteDomainAssociationRequest
) -> shapes.DeleteDomainAssociationResult:
    """Its hosts are free at once. Returns the association as it was."""
    with services.database.write() as tx:
        app, domain = find_domain(tx.conn, caller, request.app_id, request.domain_name)
        domains.delete_domain(tx.conn, domain.domain_id)
        changes.record(tx, app.app_id, now=now_ms())
    return shapes.DeleteDomainAssociationResult(domain_association=present_domain(services, app, domain))


def list_domain_associations(
    services: Services, caller: Caller, request: shapes.ListDomainAssociationsRequest
) -> shapes.ListDomainAssociationsResult:
    page = page_of(
        services,
        caller,
        operation="ListDomainAssociations",
        parent=request.app_id,
        max_results=request.max_results,
        next_token=request.next_token,
    )
    with services.database.read() as conn:
        app = find_app(conn, caller, request.app_id)
        rows = domains.page_domains(conn, app.app_id, after=page.after or 0, limit=page.limit + 1)
    found, token = page.cut([(domain.domain_id, domain) for domain in rows])
    return shapes.ListDomainAssociationsResult(
        domain_associations=tuple(present_domain(services, app, domain) for domain in found),
        next_token=token,
    )


def find_domain(conn: Connection, caller: Caller, app_id: str, name: str) -> tuple[App, Domain]:
    """Raises NotFound."""
    app = find_app(conn, caller, app_id)
    domain = domains.get_domain(conn, app_id, normal_domain(name))
    if domain is None:
        raise NotFound(f"Domain {name} not found")
    return app, domain


def _read(conn: Connection, domain_id: int) -> Domain:
    domain = domains.get_domain_by_id(conn, domain_id)
    assert domain is not None, "a transaction sees the row it has just written"
    return domain


def _attach(
    tx: Write,
    caller: Caller,
    app: App,
    domain_id: int,
    name: str,
    settings: Iterable[shapes.SubDomainSetting],
    *,
    now: int,
) -> Claims:
    wanted: dict[str, int] = {}
    for setting in settings:
        prefix = (setting.prefix or APEX).lower()  # may be left out, as in what we answer
        _check_prefix(prefix, name)
        if prefix in wanted:
            raise BadRequest(f"The prefix {prefix!r} is in subDomainSettings twice.")
        branch = branches.get_branch(tx.conn, app.app_id, setting.branch_name)
        if branch is None:
            raise NotFound(f"Branch {setting.branch_name} not found."[:255])
        wanted[prefix] = branch.branch_id
    refuse_over(
        tx.conn,
        caller.scope,
        Quota.SUBDOMAINS_PER_DOMAIN,
        have=lambda: len(wanted) - 1,
        message=f"You have reached the maximum number of subdomains of the domain {name}.",
    )
    return attach(tx.conn, domain_id, account=caller.scope.account, wanted=wanted, now=now)


def _check_prefix(prefix: str, domain: str) -> None:
    if not is_prefix(prefix):
        raise BadRequest(
            f"The prefix {prefix[:100]!r} must be empty (the domain itself), '*' alone, or host name labels "
            "of letters, digits and hyphens."
        )
    host = host_of(prefix, domain)
    if len(host) > MAX_HOST:
        raise BadRequest(f"The host name {host[:100]}... is longer than {MAX_HOST} characters.")


def _refuse_own_name(services: Services, name: str) -> None:
    """Names below the site domain lead here all by themselves: whoever asked first would get any of them."""
    own = services.site_domain.partition(":")[0].lower()
    if name == own or name.endswith(f".{own}"):
        raise BadRequest(
            f"The domain {name} cannot be associated: Preamp itself gives out the names of {own} "
            "(the setting site_domain)."
        )


def _changed(
    config: DomainConfig,
    request: shapes.CreateDomainAssociationRequest | shapes.UpdateDomainAssociationRequest,
) -> DomainConfig:
    """`config` with the members that the request has."""
    auto, patterns = request.enable_auto_sub_domain, request.auto_sub_domain_creation_patterns
    role, certificate = request.auto_sub_domain_iam_role, request.certificate_settings
    config = replace(
        config,
        enable_auto_sub_domain=config.enable_auto_sub_domain if auto is None else auto,
        auto_patterns=config.auto_patterns if patterns is None else tuple(patterns),
        auto_iam_role=role or config.auto_iam_role,
    )
    if certificate is None:
        return config
    kind = CertificateType(certificate.type)
    arn = certificate.custom_certificate_arn or None
    if kind is CertificateType.CUSTOM and arn is None:
        raise BadRequest("certificateSettings of type CUSTOM need a customCertificateArn.")
    return replace(
        config,
        certificate_type=kind,
        custom_certificate_arn=arn if kind is CertificateType.CUSTOM else None,
    )
