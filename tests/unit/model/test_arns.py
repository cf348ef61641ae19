from __future__ import annotations

import pytest

from preamp.model.arns import Resource, ResourceKind, parse_arn
from preamp.model.caller import Scope

SCOPE = Scope(account="123456789012", region="eu-west-1")
BASE = "arn:aws:amplify:eu-west-1:123456789012:"


@pytest.mark.parametrize(
    ("path", "kind", "app_id", "name"),
    [
        ("apps/d1", ResourceKind.APP, "d1", ""),
        ("apps/d1/branches/main", ResourceKind.BRANCH, "d1", "main"),
        ("apps/d1/branches/feature/x:y", ResourceKind.BRANCH, "d1", "feature/x:y"),
        ("apps/d1/branches//", ResourceKind.BRANCH, "d1", "/"),
        ("apps/d1/branches/a\nb", ResourceKind.BRANCH, "d1", "a\nb"),
        ("apps/d1/domains/example.com", ResourceKind.DOMAIN, "d1", "example.com"),
        ("apps/d1/webhooks/w-1", ResourceKind.WEBHOOK, "d1", "w-1"),
        ("webhooks/w-1", ResourceKind.WEBHOOK, None, "w-1"),
        ("apps/d1/backendenvironments/dev", ResourceKind.BACKEND_ENVIRONMENT, "d1", "dev"),
    ],
)
def test_there_and_back(path: str, kind: ResourceKind, app_id: str | None, name: str) -> None:
    resource = Resource(kind=kind, app_id=app_id, name=name)
    assert parse_arn(BASE + path) == (SCOPE, resource)
    assert resource.arn(SCOPE) == BASE + path


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:amplify:",
        BASE,
        f"{BASE}apps",
        f"{BASE}apps/",
        f"{BASE}apps/x1",
        f"{BASE}apps/D1",
        f"{BASE}apps/d1/",
        f"{BASE}apps/d1\n",
        f"{BASE}apps/d1/branches",
        f"{BASE}apps/d1/branches/",
        f"{BASE}apps/d1/apps/d1",
        f"{BASE}apps/d1/pets/cat",
        f"{BASE}branches/main",
        f"{BASE}webhooks/",
        f" {BASE}apps/d1",
        "arn:aws:s3:::bucket",
        "arn:aws-cn:amplify:eu-west-1:123456789012:apps/d1",
    ],
)
def test_what_is_no_resource(arn: str) -> None:
    assert parse_arn(arn) is None


def test_scope_may_be_anything() -> None:
    """Comparing it with the caller's is enough."""
    found = parse_arn("arn:aws:amplify:::apps/d1")
    assert found is not None
    assert found[0] == Scope(account="", region="")
