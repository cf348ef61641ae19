"""IAM-style JSON policies: what a key may do.

A document is read completely when it is created: an element, operator or key that is not understood is an
error there, with its position, and never something that silently allows. Source of the grammar and of the
evaluation order: IAM's public policy reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from preamp.aws.policy_conditions import Condition, Facts, PolicyError, read_conditions, strings
from preamp.aws.wildcards import matches

__all__ = ["Decision", "Policy", "PolicyError", "Target", "decide", "parse_policy"]

_VERSIONS = ("2012-10-17", "2008-10-17")
_ACTION = re.compile(r"\*|[a-z0-9-]+:[a-z0-9*?]+", re.IGNORECASE | re.ASCII)
_ELEMENTS = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
MAX_CHARACTERS = 10_240
"""Of a document; IAM's own limit for inline policies."""


class Decision(StrEnum):
    ALLOWED = "allowed"  # a statement allows it and none denies it
    EXPLICIT_DENY = "explicit deny"  # a statement denies it
    IMPLICIT_DENY = "implicit deny"  # no statement speaks of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a request wants, in IAM's words; made by the service's resource resolver."""

    action: str
    """Such as `amplify:CreateWebHook`, in IAM's spelling."""
    resources: tuple[str, ...]
    """The ARN of the one resource that is checked, and other ARNs it is known under; `("*",)`: none."""
    facts: Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement, understood. Of each pair exactly one is not `None`."""

    allow: bool
    actions: tuple[str, ...] | None
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    conditions: tuple[Condition, ...]

    def applies(self, target: Target) -> bool:
        """Whether it speaks of the target at all."""
        return (
            self._action_matches(target.action)
            and self._resource_matches(target.resources)
            and all(condition.holds(target.facts) for condition in self.conditions)
        )

    def _action_matches(self, action: str) -> bool:
        if self.actions is not None:
            return any(matches(pattern, action, ignore_case=True) for pattern in self.actions)
        assert self.not_actions is not None
        return not any(matches(pattern, action, ignore_case=True) for pattern in self.not_actions)

    def _resource_matches(self, resources: tuple[str, ...]) -> bool:
        patterns = self.resources if self.resources is not None else self.not_resources
        assert patterns is not None
        named = any(matches(pattern, resource) for pattern in patterns for resource in resources)
        return named if self.resources is not None else not named


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy document, understood."""

    statements: tuple[Statement, ...]


def decide(policy: Policy, target: Target) -> Decision:
    """Explicit deny wins over allow, allow over nothing."""
    applying = [statement for statement in policy.statements if statement.applies(target)]
    if any(not statement.allow for statement in applying):
        return Decision.EXPLICIT_DENY
    return Decision.ALLOWED if applying else Decision.IMPLICIT_DENY


def parse_policy(text: str) -> Policy:
    """The policy in a JSON text. Raises PolicyError, whose text says where and what."""
    if len(text) > MAX_CHARACTERS:
        raise PolicyError(f"the policy has {len(text)} characters, at most {MAX_CHARACTERS} are allowed")
    try:
        document = json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise PolicyError(f"line {error.lineno} column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise PolicyError("the document is nested too deeply") from None
    if not isinstance(document, dict):
        raise PolicyError("the policy must be a JSON object")
    _only(document, {"Version", "Id", "Statement"}, "policy")
    if document.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise PolicyError(f"Version: must be one of {', '.join(_VERSIONS)}")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError("Statement: must be an object or a list of at least one object")
    return Policy(
        statements=tuple(_statement(raw, f"Statement[{number}]") for number, raw in enumerate(statements))
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PolicyError(f"the name {twice!r} is there twice in one object")
    return result


def _only(raw: Mapping[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    for name in raw:
        if name not in known:
            raise PolicyError(f"{where}: unknown element {name!r}; known are {', '.join(sorted(known))}")


def _statement(raw: Any, where: str) -> Statement:
    if not isinstance(raw, dict):
        raise PolicyError(f"{where}: must be an object")
    _only(raw, _ELEMENTS, where)
    if raw.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"{where}.Effect: must be Allow or Deny")
    actions, not_actions = _either(raw, "Action", "NotAction", where)
    for pattern in (*(actions or ()), *(not_actions or ())):
        if not _ACTION.fullmatch(pattern):
            raise PolicyError(
                f"{where}: action {pattern!r} is neither * nor <service>:<action> (* and ? allowed)"
            )
    resources, not_resources = _either(raw, "Resource", "NotResource", where)
    for pattern in (*(resources or ()), *(not_resources or ())):
        if pattern != "*" and not pattern.startswith("arn:"):
            raise PolicyError(f"{where}: resource {pattern!r} is neither * nor an ARN")
    return Statement(
        allow=raw["Effect"] == "Allow",
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        conditions=read_conditions(raw.get("Condition", {}), f"{where}.Condition"),
    )


def _either(
    raw: Mapping[str, Any], name: str, opposite: str, where: str
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if (name in raw) == (opposite in raw):
        raise PolicyError(f"{where}: exactly one of {name} and {opposite} is needed")
    if name in raw:
        return strings(raw[name], f"{where}.{name}"), None
    return None, strings(raw[opposite], f"{where}.{opposite}")
