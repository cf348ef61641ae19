"""A domain association as a client sees it, with the DNS records that it is to make."""

from __future__ import annotations

import hashlib
import ipaddress

from preamp.api import shapes
from preamp.api.services import Services
from preamp.model.apps import App
from preamp.model.arns import Resource, ResourceKind
from preamp.model.domains import APEX, CertificateType, Domain, DomainStatus, SubDomain

PENDING = "<pending>"
"""In place of a record's target while the association is being created."""
MAX_REASON = 1000
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def present_domain(services: Services, app: App, domain: Domain) -> shapes.DomainAssociation:
    config = domain.config
    record = _certificate_record(domain)
    target = PENDING if domain.status is DomainStatus.CREATING else edge_name(services, app)
    return shapes.DomainAssociation(
        domain_association_arn=Resource(kind=ResourceKind.DOMAIN, app_id=app.app_id, name=domain.name).arn(
            app.scope
        ),
        domain_name=domain.name,
        enable_auto_sub_domain=config.enable_auto_sub_domain,
        auto_sub_domain_creation_patterns=config.auto_patterns or None,
        auto_sub_domain_iam_role=config.auto_iam_role,
        domain_status=domain.status,
        update_status=domain.update_status,
        status_reason=_reason(domain)[:MAX_REASON],
        certificate_verification_dns_record=record,
        sub_domains=tuple(_present_subdomain(sub, target) for sub in domain.subdomains),
        certificate=shapes.Certificate(
            type=config.certificate_type,
            custom_certificate_arn=config.custom_certificate_arn,
            certificate_verification_dns_record=record,
        ),
    )


def edge_name(services: Services, app: App) -> str:
    """What the client's CNAME records are to point to: the first name among `edge_hosts`, else the app's
    default domain."""
    for host in services.settings.edge_hosts or ():
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host
    return f"{app.app_id}.{services.site_domain.partition(':')[0]}"


def _present_subdomain(sub: SubDomain, target: str) -> shapes.SubDomain:
    # Amplify leaves the empty prefix of a domain itself out, although its model requires it.
    prefix = None if sub.prefix == APEX else sub.prefix
    return shapes.SubDomain(
        sub_domain_setting=shapes.SubDomainSetting(prefix=prefix, branch_name=sub.branch_name),
        verified=sub.verified_ms is not None,
        dns_record=f"{sub.prefix} CNAME {target}",
    )


def _certificate_record(domain: Domain) -> str | None:
    """In the form of ACM's, the same as long as the association lives; nobody looks it up."""
    managed = domain.config.certificate_type is CertificateType.AMPLIFY_MANAGED
    if not managed or domain.status is DomainStatus.CREATING:
        return None
    digest = hashlib.sha256(f"{domain.domain_id} {domain.name} {domain.created_ms}".encode())
    text = digest.hexdigest()
    zone = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest.digest()[:10])
    return f"_{text[:32]}.{domain.name}. CNAME _{text[32:]}.{zone}.acm-validations.aws."


def _reason(domain: Domain) -> str:
    if domain.status_reason is not None:
        return domain.status_reason
    problems = [f"{sub.host}: {sub.problem}" for sub in domain.subdomains if sub.problem]
    return " ".join(problems)
