"""Amplify's resources and their ARNs (behaviour reference, sections 2 and 12)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from preamp.model.caller import Scope

_ARN = re.compile(r"arn:aws:amplify:([^:/]*):([^:/]*):(.+)", re.DOTALL)
_APP_ID = re.compile(r"d[a-z0-9]{1,19}", re.ASCII)


class ResourceKind(StrEnum):
    """The value is the segment of the ARN behind the app's."""

    APP = "apps"
    BRANCH = "branches"
    DOMAIN = "domains"
    WEBHOOK = "webhooks"
    BACKEND_ENVIRONMENT = "backendenvironments"


_IN_APP = {kind.value: kind for kind in ResourceKind if kind is not ResourceKind.APP}


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """What an ARN names; whether it exists is another question."""

    kind: ResourceKind
    app_id: str | None
    """None in the short form of a webhook's ARN, `...:webhooks/{id}`, which IAM's reference uses."""
    name: str = ""
    """Branch name, domain name, webhook id or environment name; empty for an app."""

    def arn(self, scope: Scope) -> str:
        """A `/` in the name stays literal."""
        base = f"arn:aws:amplify:{scope.region}:{scope.account}:"
        if self.kind is ResourceKind.APP:
            return f"{base}apps/{self.app_id}"
        own = f"{self.kind}/{self.name}"
        return f"{base}{own}" if self.app_id is None else f"{base}apps/{self.app_id}/{own}"


def parse_arn(arn: str) -> tuple[Scope, Resource] | None:
    """None when it names no kind of resource that Amplify has."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return None
    region, account, path = found.groups()
    scope = Scope(account=account, region=region)
    first, _, rest = path.partition("/")
    if first == ResourceKind.WEBHOOK and rest:
        return scope, Resource(kind=ResourceKind.WEBHOOK, app_id=None, name=rest)
    app_id, slash, rest = rest.partition("/")
    if first != ResourceKind.APP or not _APP_ID.fullmatch(app_id):
        return None
    if not slash:
        return scope, Resource(kind=ResourceKind.APP, app_id=app_id)
    word, _, name = rest.partition("/")
    kind = _IN_APP.get(word)
    if kind is None or not name:
        return None
    return scope, Resource(kind=kind, app_id=app_id, name=name)
