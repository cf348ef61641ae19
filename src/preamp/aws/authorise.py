"""May the caller do this? Asked after validation, because resources and tags are part of the input."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

from preamp.aws.authenticate import Identity
from preamp.aws.errors import WireError
from preamp.aws.policies import Decision, Policy, Target, decide, parse_policy
from preamp.model.caller import Scope


class ResourceResolver(Protocol):
    """Per service: an operation and its input in IAM's words. Implemented by each service and by tests."""

    def __call__(self, *, operation: str, scope: Scope, request: Any) -> Target:
        """The action (in IAM's spelling), resource ARNs and tags of a request.

        Called only for keys with a policy; may read the database. A resource that does not exist still
        has its ARN, with no tags: whether it exists is the operation's business, after this.
        """
        ...


class Authoriser:
    """Applies the policy of the caller's key. A key without one is an administrator's."""

    def __init__(self, resolver: ResourceResolver) -> None:
        self._resolver = resolver

    def check(self, identity: Identity, *, operation: str, request: Any) -> None:
        """Raises WireError AccessDeniedException, worded as AWS words it.

        Raises PolicyError when the stored policy is broken: that is a failure of ours, and nothing is
        allowed by it.
        """
        if identity.key.policy is None:
            return
        target = self._resolver(operation=operation, scope=identity.scope, request=request)
        decision = decide(_policy(identity.key.policy), target)
        if decision is Decision.ALLOWED:
            return
        why = (
            "with an explicit deny in an identity-based policy"
            if decision is Decision.EXPLICIT_DENY
            else f"because no identity-based policy allows the {target.action} action"
        )
        raise WireError(
            "AccessDeniedException",
            f"User: {identity.arn} is not authorized to perform: {target.action} "
            f"on resource: {target.resources[0]} {why}",
        )


@lru_cache(maxsize=1024)
def _policy(text: str) -> Policy:
    return parse_policy(text)
