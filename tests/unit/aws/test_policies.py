from __future__ import annotations

import json
from typing import Any

import pytest

from preamp.aws.policies import Decision, PolicyError, Target, decide, parse_policy
from preamp.aws.policy_conditions import Facts

APP = "arn:aws:amplify:us-east-1:123456789012:apps/d1"
WEBHOOK = (f"{APP}/webhooks/w", "arn:aws:amplify:r:1:webhooks/w")


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", **({"Action": "*"} if "NotAction" not in more else {}), **more} | (
        {} if "NotResource" in more or "Resource" in more else {"Resource": "*"}
    )


def verdict(
    text: str, action: str = "amplify:ListJobs", resource: str | tuple = APP, **facts: Any
) -> Decision:
    resources = resource if isinstance(resource, tuple) else (resource,)
    return decide(parse_policy(text), Target(action=action, resources=resources, facts=Facts(**facts)))


@pytest.mark.parametrize(
    ("statement", "action", "allowed"),
    [
        (allow(Action="amplify:*"), "amplify:ListJobs", True),
        (allow(Action="amplify:List*"), "amplify:ListJobs", True),
        (allow(Action="amplify:list*"), "amplify:ListJobs", True),
        (allow(Action="amplify:List*"), "amplify:DeleteJob", False),
        (allow(Action="amplify:createwebhook"), "amplify:CreateWebHook", True),
        (allow(Action=["s3:*", "amplify:GetApp"]), "amplify:GetApp", True),
        (allow(Action="s3:*"), "amplify:GetApp", False),
        (allow(NotAction="amplify:Delete*"), "amplify:GetApp", True),
        (allow(NotAction="amplify:Delete*"), "amplify:DeleteApp", False),
        (allow(Action="amplify:Get???"), "amplify:GetApp", True),
        (allow(Action="amplify:Get????"), "amplify:GetApp", False),
    ],
)
def test_actions(statement: dict[str, Any], action: str, allowed: bool) -> None:
    expected = Decision.ALLOWED if allowed else Decision.IMPLICIT_DENY
    assert verdict(policy(statement), action) is expected


@pytest.mark.parametrize(
    ("statement", "resource", "allowed"),
    [
        (allow(Resource=f"{APP}/branches/main/jobs/*"), f"{APP}/branches/main/jobs/0000000001", True),
        (allow(Resource=f"{APP}/branches/main/jobs/*"), f"{APP}/branches/dev/jobs/0000000001", False),
        (allow(Resource=f"{APP}*"), f"{APP}/branches/a/b", True),
        (allow(Resource=APP), f"{APP}/branches/main", False),
        (allow(Resource=APP.replace("d1", "D1")), APP, False),
        (allow(NotResource=f"{APP}*"), APP, False),
        (allow(NotResource=f"{APP}2"), APP, True),
        (allow(Resource="*"), "*", True),
        (allow(Resource=APP), "*", False),
        # a webhook is known under two ARNs: either may be named
        (allow(Resource="arn:aws:amplify:*:*:webhooks/w"), WEBHOOK, True),
        (allow(NotResource="arn:aws:amplify:*:*:webhooks/w"), WEBHOOK, False),
    ],
)
def test_resources(statement: dict[str, Any], resource: Any, allowed: bool) -> None:
    expected = Decision.ALLOWED if allowed else Decision.IMPLICIT_DENY
    assert verdict(policy(statement), resource=resource) is expected


def test_explicit_deny_wins_wherever_it_stands() -> None:
    deny = {"Effect": "Deny", "Action": "amplify:DeleteJob", "Resource": "*"}
    for statements in ((allow(), deny), (deny, allow())):
        assert verdict(policy(*statements), "amplify:DeleteJob") is Decision.EXPLICIT_DENY
        assert verdict(policy(*statements), "amplify:GetJob") is Decision.ALLOWED


def test_one_statement_needs_no_list() -> None:
    assert verdict(json.dumps({"Statement": allow()})) is Decision.ALLOWED


TEAM = {"resource_tags": {"Team": "web"}}
OTHER = {"resource_tags": {"Team": "ops"}}
NONE: dict[str, Any] = {}
KEYS_AB = {"tag_keys": ("a", "b")}
KEYS_AC = {"tag_keys": ("a", "c")}


@pytest.mark.parametrize(
    ("condition", "true_for", "false_for"),
    [
        ({"StringEquals": {"aws:ResourceTag/Team": "web"}}, [TEAM], [OTHER, NONE]),
        ({"StringEquals": {"aws:resourcetag/team": ["x", "web"]}}, [TEAM], [OTHER, NONE]),
        ({"StringEquals": {"aws:RequestTag/Team": "web"}}, [{"request_tags": {"Team": "web"}}], [TEAM, NONE]),
        ({"StringLike": {"aws:ResourceTag/Team": "w?*"}}, [TEAM], [OTHER, NONE]),
        ({"StringEquals": {"aws:ResourceTag/Team": "w*"}}, [], [TEAM]),
        ({"StringNotEquals": {"aws:ResourceTag/Team": "web"}}, [OTHER, NONE], [TEAM]),
        ({"StringNotLike": {"aws:ResourceTag/Team": ["w*", "x"]}}, [OTHER, NONE], [TEAM]),
        ({"StringEqualsIfExists": {"aws:ResourceTag/Team": "web"}}, [TEAM, NONE], [OTHER]),
        ({"StringEqualsIgnoreCase": {"aws:ResourceTag/Team": "WEB"}}, [TEAM], [OTHER]),
        ({"Null": {"aws:ResourceTag/Team": "true"}}, [NONE], [TEAM]),
        ({"Null": {"aws:ResourceTag/Team": False}}, [TEAM], [NONE]),
        ({"Null": {"aws:TagKeys": "true"}}, [NONE], [KEYS_AB]),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, [KEYS_AB, NONE], [KEYS_AC]),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["b"]}}, [KEYS_AB], [KEYS_AC, NONE]),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, [KEYS_AC], [KEYS_AB, NONE]),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["c"]}}, [KEYS_AB, NONE], [KEYS_AC]),
        ({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": ["b"]}}, [KEYS_AB, NONE], [KEYS_AC]),
        (
            {"StringEquals": {"aws:ResourceTag/Team": "web"}, "Null": {"aws:TagKeys": "true"}},
            [TEAM],
            [NONE, {**TEAM, **KEYS_AB}],
        ),
    ],
)
def test_conditions(condition: dict[str, Any], true_for: list, false_for: list) -> None:
    text = policy(allow(Condition=condition))
    assert [facts for facts in true_for if verdict(text, **facts) is not Decision.ALLOWED] == []
    assert [facts for facts in false_for if verdict(text, **facts) is not Decision.IMPLICIT_DENY] == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "line 1 column 1"),
        ('{"Statement": [\n {"Effect" "Allow"}]}', "line 2 column 12"),
        ("[]", "must be a JSON object"),
        ("{}", "Statement: must be"),
        ('{"Statement": []}', "Statement: must be"),
        ('{"Statement": [1]}', r"Statement\[0\]: must be an object"),
        (json.dumps({"Version": "2020-01-01", "Statement": allow()}), "Version: must be one of"),
        (json.dumps({"Statement": allow(), "Extra": 1}), "unknown element 'Extra'"),
        ('{"Statement": {}, "Statement": {}}', "'Statement' is there twice"),
        (policy(allow(), {"Effect": "allow", "Action": "*", "Resource": "*"}), r"Statement\[1\].Effect"),
        (policy(allow(Principal="*")), r"Statement\[0\]: unknown element 'Principal'"),
        (policy({"Effect": "Allow", "Resource": "*"}), "exactly one of Action and NotAction"),
        (policy(allow(NotAction="*", Action="*")), "exactly one of Action and NotAction"),
        (policy({"Effect": "Allow", "Action": "*"}), "exactly one of Resource and NotResource"),
        (policy(allow(Action=[])), r"Statement\[0\].Action: must be a string or a list"),
        (policy(allow(Action=[1])), r"Statement\[0\].Action"),
        (policy(allow(Action="ListJobs")), "'ListJobs' is neither"),
        (policy(allow(Resource="apps/d1")), "'apps/d1' is neither"),
        (policy(allow(Resource="arn:aws:amplify:*:*:apps/${aws:username}")), "policy variables"),
        (policy(allow(Condition=[])), r"Statement\[0\].Condition: must be an object"),
        (policy(allow(Condition={"StringEquals": {}})), "Condition.StringEquals: must be"),
        (policy(allow(Condition={"IpAddress": {"aws:SourceIp": "::1"}})), "IpAddress: unknown condition op"),
        (policy(allow(Condition={"StringEquals": {"aws:SourceIp": "::1"}})), "key 'aws:SourceIp'"),
        (policy(allow(Condition={"StringEquals": {"aws:RequestTag/": "x"}})), "unknown condition key"),
        (policy(allow(Condition={"StringEquals": {"aws:TagKeys": "x"}})), "put ForAllValues"),
        (policy(allow(Condition={"Null": {"aws:TagKeys": "maybe"}})), 'must be "true" or "false"'),
        (policy(allow(Condition={"ForAllValues:Null": {"aws:TagKeys": "true"}})), "Null takes neither"),
        (
            policy(allow(Condition={"ForSomeValues:StringEquals": {"aws:TagKeys": "x"}})),
            "unknown condition op",
        ),
        (policy(allow(Condition={"StringEquals": {"aws:RequestTag/a": 1}})), "must be a string or a list"),
        ("[" * 9000, "nested too deeply"),
        ('{"Version": "' + "x" * 20_000 + '"}', "at most 10240"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(text: str, error: str) -> None:
    with pytest.raises(PolicyError, match=error):
        parse_policy(text)
