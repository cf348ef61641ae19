"""The `Condition` element of a policy: string operators over tags of the request and of the resource."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from preamp.aws.wildcards import matches


class PolicyError(ValueError):
    """A policy document is wrong; the text says where and what."""


class Quantifier(StrEnum):
    NONE = ""  # the operator as it is
    ALL = "ForAllValues"  # every value of the request must match; true when there are none
    ANY = "ForAnyValue"  # at least one value of the request must match


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What conditions can ask about."""

    request_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags the request wants to set."""
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags the resource has."""
    tag_keys: tuple[str, ...] = ()
    """Keys of tags the request wants to set or remove."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """A comparison of one value of the request with one of the policy; `negated` turns the result."""

    compare: Callable[[str, str], bool]
    negated: bool


def _equal(have: str, want: str) -> bool:
    return have == want


def _equal_ignoring_case(have: str, want: str) -> bool:
    return have.casefold() == want.casefold()


def _like(have: str, want: str) -> bool:
    return matches(want, have)


OPERATORS: Mapping[str, Operator] = {
    "StringEquals": Operator(compare=_equal, negated=False),
    "StringNotEquals": Operator(compare=_equal, negated=True),
    "StringEqualsIgnoreCase": Operator(compare=_equal_ignoring_case, negated=False),
    "StringNotEqualsIgnoreCase": Operator(compare=_equal_ignoring_case, negated=True),
    "StringLike": Operator(compare=_like, negated=False),
    "StringNotLike": Operator(compare=_like, negated=True),
}
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?")
_KEY = re.compile(r"aws:(?:(RequestTag|ResourceTag)/(.{1,128})|(TagKeys))", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One operator on one key. `operator` is `None` for `Null`, whose answer is `must_be_absent`."""

    key: str
    """`requesttag/{tag}`, `resourcetag/{tag}` or `tagkeys`, lower case: IAM ignores the case of keys."""
    quantifier: Quantifier
    operator: Operator | None
    if_exists: bool
    values: tuple[str, ...]
    must_be_absent: bool = False

    def holds(self, facts: Facts) -> bool:
        """Whether it is fulfilled."""
        found = self._found(facts)
        if self.operator is None:
            return (not found) == self.must_be_absent
        if not found and self.if_exists:
            return True
        verdicts = [self._verdict(self.operator, value) for value in found]
        if self.quantifier is Quantifier.ANY:
            return any(verdicts)
        if self.quantifier is Quantifier.ALL or self.operator.negated:
            # A negated operator is true of what is absent, as in IAM.
            return all(verdicts)
        return any(verdicts)

    def _verdict(self, operator: Operator, have: str) -> bool:
        return any(operator.compare(have, want) for want in self.values) != operator.negated

    def _found(self, facts: Facts) -> list[str]:
        kind, _, tag = self.key.partition("/")
        if kind == "tagkeys":
            return list(facts.tag_keys)
        tags = facts.request_tags if kind == "requesttag" else facts.resource_tags
        return [value for name, value in tags.items() if name.casefold() == tag]


def read_conditions(raw: Any, where: str) -> tuple[Condition, ...]:
    """The conditions of a statement; all must hold. Raises PolicyError."""
    if not isinstance(raw, dict):
        raise PolicyError(f"{where}: must be an object")
    found: list[Condition] = []
    for operator, keys in raw.items():
        here = f"{where}.{operator}"
        if not isinstance(keys, dict) or not keys:
            raise PolicyError(f"{here}: must be an object of condition keys")
        found.extend(_condition(operator, key, values, here) for key, values in keys.items())
    return tuple(found)


def _condition(operator: str, key: str, values: Any, where: str) -> Condition:
    parsed = _OPERATOR.fullmatch(operator)
    name = parsed.group(2) if parsed else operator
    if parsed is None or (name not in OPERATORS and name != "Null"):
        raise PolicyError(
            f"{where}: unknown condition operator; known are {', '.join(OPERATORS)} (each also with "
            "IfExists, ForAllValues: or ForAnyValue:) and Null"
        )
    key_parts = _KEY.fullmatch(key)
    if key_parts is None:
        raise PolicyError(
            f"{where}: unknown condition key {key!r}; known are aws:RequestTag/<key>, aws:ResourceTag/<key> "
            "and aws:TagKeys"
        )
    kind, tag, multiple = key_parts.groups()
    inner = "tagkeys" if multiple else f"{kind.lower()}/{tag.casefold()}"
    quantifier = Quantifier(parsed.group(1) or "")
    if name == "Null":
        if quantifier is not Quantifier.NONE or parsed.group(3):
            raise PolicyError(f"{where}: Null takes neither IfExists nor a ForAllValues or ForAnyValue")
        return Condition(
            key=inner,
            quantifier=quantifier,
            operator=None,
            if_exists=False,
            values=(),
            must_be_absent=_truth(values, f"{where}.{key}"),
        )
    if multiple and quantifier is Quantifier.NONE:
        raise PolicyError(
            f"{where}: aws:TagKeys has many values; put ForAllValues: or ForAnyValue: before {name}"
        )
    return Condition(
        key=inner,
        quantifier=quantifier,
        operator=OPERATORS[name],
        if_exists=bool(parsed.group(3)),
        values=strings(values, f"{where}.{key}"),
    )


def _truth(value: Any, where: str) -> bool:
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    text = str(value).lower()
    if text not in {"true", "false"}:
        raise PolicyError(f'{where}: must be "true" or "false"')
    return text == "true"


def strings(value: Any, where: str) -> tuple[str, ...]:
    """A string or a list of at least one. Raises PolicyError, also for policy variables (`${...}`)."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
        raise PolicyError(f"{where}: must be a string or a list of at least one string")
    for item in values:
        if "${" in item:
            raise PolicyError(f"{where}: policy variables such as {item!r} are not supported")
    return tuple(values)
