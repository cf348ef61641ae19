"""The words of validation messages; that everything is checked is test_conformance's business."""

from __future__ import annotations

from typing import Any

import pytest

from preamp.aws.service import Overrides, load_service
from preamp.aws.validate import validate
from preamp.model.errors import BadRequest
from tests.unit.aws.wire import SERVICE

CREATE_APP = SERVICE.operations["CreateApp"].input


def message(document: dict[str, Any], shape=CREATE_APP) -> str:
    with pytest.raises(BadRequest) as caught:
        validate(shape, document)
    return caught.value.message


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "Value at 'name' failed to satisfy constraint: Member must not be null"),
        (
            {"name": "x" * 256},
            "Value at 'name' failed to satisfy constraint: Member must have length less than or equal to 255",
        ),
        (
            {"name": "x", "platform": "IOS"},
            (
                "Value at 'platform' failed to satisfy constraint: "
                "Member must satisfy enum value set: [WEB, WEB_DYNAMIC, WEB_COMPUTE]"
            ),
        ),
        (
            {"name": "x", "customRules": [{"source": "/a", "target": "/b"}, {"source": "", "target": "/b"}]},
            (
                "Value at 'customRules.2.member.source' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
        ),
        (
            {"name": "x", "tags": {"aws:a": "v"}},
            (
                "Value at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: "
                "[Member must satisfy regular expression pattern: ^(?!aws:)[a-zA-Z+-=._:/]+$]"
            ),
        ),
        (
            {"name": "x", "environmentVariables": {"K": 1}},
            (
                "Value at 'environmentVariables' failed to satisfy constraint: "
                "Map value must satisfy constraint: [Member must be a string]"
            ),
        ),
    ],
)
def test_words(document: dict[str, Any], text: str) -> None:
    assert message(document) == f"1 validation error detected: {text}"


def test_several_are_counted_and_stated_as_far_as_they_fit() -> None:
    text = message({"name": 1, "description": 2})
    assert text == (
        "2 validation errors detected: "
        "Value at 'name' failed to satisfy constraint: Member must be a string; "
        "Value at 'description' failed to satisfy constraint: Member must be a string"
    )
    many = message({"name": "x", "customRules": [{}] * 50})
    assert many.startswith("100 validation errors detected: Value at 'customRules.1.member.source'")
    assert len(many) <= 255


def test_the_idiom_that_clears_variables_is_valid() -> None:
    validate(CREATE_APP, {"name": "x", "environmentVariables": {"": ""}})


def test_overrides() -> None:
    service = load_service(
        "amplify", overrides=Overrides(minimum={"Name": 0}, sensitive=frozenset({"EnvValue"}))
    )
    validate(service.operations["GetApp"].input, {"appId": "d1"})
    assert service.shapes["EnvValue"].sensitive
    assert service.shapes["Name"].minimum == 0
    assert "NONE" not in service.shapes["Stage"].enum
