"""A custom domain of an app: which host names show which branch, and how far the association is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from preamp.model.branch_globs import matches_any

APEX = ""
"""The prefix of the domain itself."""
WILDCARD = "*"
"""The prefix of every name right below the domain that has no prefix of its own."""
MAX_HOST = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


class DomainStatus(StrEnum):
    """`DomainStatus` of the service model; what Preamp never shows is left out and said so in
    docs/compatibility.md."""

    CREATING = "CREATING"  # accepted; nobody has looked at it yet
    REQUESTING_CERTIFICATE = "REQUESTING_CERTIFICATE"  # its DNS records are being made up
    PENDING_VERIFICATION = "PENDING_VERIFICATION"  # no name of it leads here yet
    PENDING_DEPLOYMENT = "PENDING_DEPLOYMENT"  # a name leads here; the edges are being told
    AVAILABLE = "AVAILABLE"  # names that lead here are served; it stays so
    UPDATING = "UPDATING"  # settings were changed; the edges are being told
    FAILED = "FAILED"  # a host of it belongs to another association


class UpdateStatus(StrEnum):
    """`UpdateStatus` of the service model: how far the last UpdateDomainAssociation is."""

    REQUESTING_CERTIFICATE = "REQUESTING_CERTIFICATE"  # changed to a managed certificate
    IMPORTING_CUSTOM_CERTIFICATE = "IMPORTING_CUSTOM_CERTIFICATE"  # changed to a custom certificate
    PENDING_VERIFICATION = "PENDING_VERIFICATION"  # no name of the domain leads here yet
    PENDING_DEPLOYMENT = "PENDING_DEPLOYMENT"  # the edges are being told
    UPDATE_COMPLETE = "UPDATE_COMPLETE"  # done


class CertificateType(StrEnum):
    AMPLIFY_MANAGED = "AMPLIFY_MANAGED"  # the service's own; the default
    CUSTOM = "CUSTOM"  # the client's, named by its ARN


TRANSITIONS: Mapping[DomainStatus, frozenset[DomainStatus]] = {
    DomainStatus.CREATING: frozenset(
        # A custom certificate is not requested.
        {DomainStatus.REQUESTING_CERTIFICATE, DomainStatus.PENDING_VERIFICATION, DomainStatus.FAILED}
    ),
    DomainStatus.REQUESTING_CERTIFICATE: frozenset({DomainStatus.PENDING_VERIFICATION, DomainStatus.FAILED}),
    DomainStatus.PENDING_VERIFICATION: frozenset({DomainStatus.PENDING_DEPLOYMENT}),
    DomainStatus.PENDING_DEPLOYMENT: frozenset({DomainStatus.AVAILABLE, DomainStatus.UPDATING}),
    DomainStatus.AVAILABLE: frozenset({DomainStatus.UPDATING}),
    DomainStatus.UPDATING: frozenset({DomainStatus.AVAILABLE, DomainStatus.PENDING_VERIFICATION}),
    # A failed association is tried again by updating it.
    DomainStatus.FAILED: frozenset({DomainStatus.UPDATING}),
}


def sources_of(target: DomainStatus) -> frozenset[DomainStatus]:
    """The statuses from which `target` may be entered; the guard of every update of a status."""
    return frozenset(status for status, targets in TRANSITIONS.items() if target in targets)


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainConfig:
    """What UpdateDomainAssociation can change, without the subdomains."""

    enable_auto_sub_domain: bool = False
    auto_patterns: tuple[str, ...] = ()
    """Globs of branch names; none means every branch."""
    auto_iam_role: str | None = None
    certificate_type: CertificateType = CertificateType.AMPLIFY_MANAGED
    custom_certificate_arn: str | None = None

    def wants_subdomain_of(self, branch: str) -> bool:
        """Whether a new branch of that name gets a subdomain by itself."""
        return self.enable_auto_sub_domain and (
            not self.auto_patterns or matches_any(branch, self.auto_patterns)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SubDomain:
    """One host name (or wildcard) of an association."""

    prefix: str
    branch_id: int
    branch_name: str
    host: str
    is_auto: bool
    """Made for a new branch by `enableAutoSubDomain`, not named by the client."""
    claimed: bool
    """No other association has the host."""
    since_ms: int
    verified_ms: int | None
    """When the host was first seen to lead here, or an operator said so."""
    problem: str | None
    """Why it is not verified, as of the last look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """A stored association."""

    domain_id: int
    app_id: str
    name: str
    """Lower case, without a final dot."""
    config: DomainConfig
    status: DomainStatus
    update_status: UpdateStatus | None
    status_reason: str | None
    """Of FAILED."""
    verified_ms: int | None
    created_ms: int
    updated_ms: int
    subdomains: tuple[SubDomain, ...]
    """Those that the client named, then the automatic ones, each by prefix."""
    tags: Mapping[str, str] = field(default_factory=dict)


def normal_domain(name: str) -> str:
    """`Example.COM.` -> `example.com`."""
    return name.lower().removesuffix(".")


def host_of(prefix: str, domain: str) -> str:
    return f"{prefix}.{domain}" if prefix else domain


def is_prefix(prefix: str) -> bool:
    """Whether it may stand before a domain: nothing, `*` alone, or host labels in lower case."""
    if prefix in {APEX, WILDCARD}:
        return True
    return all(_LABEL.fullmatch(label) for label in prefix.split("."))


def wildcard_of(host: str) -> str:
    """The wildcard that covers a host: `a.example.com` -> `*.example.com`; one label, as certificates
    have it."""
    return f"{WILDCARD}.{host.partition('.')[2]}"
