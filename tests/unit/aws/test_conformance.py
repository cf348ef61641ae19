"""Thousands of requests generated from the service model, answered by recording operations.

The expectations come from botocore's raw model, not from our compiled form of it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from botocore.loaders import Loader

from preamp.api.shapes import OPERATION_TYPES
from preamp.aws.validate import violations
from tests.unit.aws.samples import BREAKING, MIN_FIT, output_value, text, wire_value
from tests.unit.aws.wire import SERVICE, call, make_app

MODEL = Loader().load_service_model("amplify", "service-2")
SHAPES = MODEL["shapes"]
WRONG_TYPES = {
    "string": [1, 1.5, True, [], {}],
    "boolean": ["true", 0, 1, [], {}],
    "integer": ["1", 1.5, True, [], {}],
    "timestamp": ["yesterday", True, [], {}, 1e300],
    "list": ["x", 1, True, {}],
    "map": ["x", 1, True, []],
    "structure": ["x", 1, True, []],
}


@dataclass(frozen=True)
class Case:
    """What to put at `path` of the operation's minimal valid input, and whether that is accepted."""

    title: str
    path: tuple[str | int, ...]
    value: Any
    accepted: bool
    members: tuple[str, ...] = ()
    """Of which one must be named in the message."""


REMOVED = object()


def cases(operation: str) -> Iterator[Case]:
    reference = MODEL["operations"][operation]["input"]["shape"]
    shape = SHAPES[reference]
    for name, member in shape["members"].items():
        location = member.get("location", "body")
        required = name in shape.get("required", ())
        if location == "body":
            yield Case(f"{name} null", (name,), None, not required, (name,))
            yield Case(f"{name} missing", (name,), REMOVED, not required, (name,))
            for wrong in WRONG_TYPES[SHAPES[member["shape"]]["type"]]:
                yield Case(f"{name} as {wrong!r}", (name,), wrong, False, (name,))
        elif required and location == "querystring":
            yield Case(f"{name} missing", (name,), REMOVED, False, (name,))
        for case in shape_cases(member["shape"], (name,), at_uri=location == "uri"):
            if location == "body" or can_be_text(case.value):
                yield case
    if any(m.get("location", "body") == "body" for m in shape["members"].values()):
        yield Case("unknown member", ("noSuchMember",), {"deep": [1, None]}, True)


def can_be_text(value: Any) -> bool:
    """Whether a path or query string can carry it as another value than its neighbours in this file."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str) for item in value)
    return isinstance(value, str | int) and not isinstance(value, bool)


def shape_cases(name: str, path: tuple[str | int, ...], *, at_uri: bool = False) -> Iterator[Case]:
    """Values just inside and just outside each constraint of the shape at `path`, and below it."""
    shape = SHAPES[name]
    who = (str(path[0]),)
    low, high = shape.get("min"), shape.get("max")
    match shape["type"]:
        case "string" if "enum" in shape:
            for value in shape["enum"]:
                yield Case(f"{path} {value}", path, value, True)
            for value in ("", "nope", shape["enum"][0].lower()):
                if value or not at_uri:
                    yield Case(f"{path} {value!r}", path, value, False, who)
        case "string":
            least = max(low or 0, MIN_FIT.get(name, 0), 1 if at_uri else 0)
            lengths = [least]
            if high is not None:
                lengths += [high - 1, high] if high - 1 >= least else [high]
            for n in lengths:
                yield Case(f"{path} of {n}", path, text(name, shape, n), True)
            if high is not None:
                yield Case(f"{path} of {high + 1}", path, text(name, shape, high + 1), False, who)
            if low and not at_uri:
                yield Case(f"{path} of {low - 1}", path, text(name, shape, low - 1)[: low - 1], False, who)
            for value in BREAKING.get(name, ()):
                if value or not at_uri:
                    yield Case(f"{path} {value!r}", path, value, False, who)
            if "pattern" not in shape or shape["pattern"].startswith("(?s)"):
                yield Case(f"{path} any characters", path, "a\n/ é%\u2028"[: high or 9], True)
        case "integer":
            for value, good in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
                yield Case(f"{path} {value}", path, value, good, () if good else who)
            for junk in ("abc", "", "1.5", "٣", "9" * 40):
                yield Case(f"{path} {junk!r}", path, junk, False, who)
        case "timestamp":
            for value in (0, 1600408195, 1600408195.766, "2020-09-18T05:49:55.766Z", -1):
                yield Case(f"{path} {value}", path, value, True)
            yield Case(f"{path} too late", path, 1e15, False, who)
        case "list":
            yield from list_cases(shape, path, who)
        case "map":
            yield from map_cases(shape, path, who)
        case "structure":
            for inner, member in shape["members"].items():
                required = inner in shape.get("required", ())
                yield Case(f"{path}.{inner} missing", (*path, inner), REMOVED, not required, (inner,))
                yield Case(f"{path}.{inner} null", (*path, inner), None, not required, (inner,))
                for wrong in WRONG_TYPES[SHAPES[member["shape"]]["type"]]:
                    yield Case(f"{path}.{inner} as {wrong!r}", (*path, inner), wrong, False, (inner,))
                yield from shape_cases(member["shape"], (*path, inner))
            yield Case(f"{path} unknown member", (*path, "noSuchMember"), 1, True)


def list_cases(shape: dict[str, Any], path: tuple[str | int, ...], who: tuple[str, ...]) -> Iterator[Case]:
    item = wire_value(SHAPES, shape["member"]["shape"])
    low, high = shape.get("min"), shape.get("max")
    yield Case(f"{path} with null", path, [None], False, who)
    if not low:
        yield Case(f"{path} empty", path, [], True)
    if high is not None:
        yield Case(f"{path} of {high}", path, [item] * high, True)
        yield Case(f"{path} of {high + 1}", path, [item] * (high + 1), False, who)
    for wrong in WRONG_TYPES[SHAPES[shape["member"]["shape"]]["type"]]:
        yield Case(f"{path} item as {wrong!r}", path, [wrong], False, who)
    yield from shape_cases(shape["member"]["shape"], (*path, 0))


def map_cases(shape: dict[str, Any], path: tuple[str | int, ...], who: tuple[str, ...]) -> Iterator[Case]:
    key = wire_value(SHAPES, shape["key"]["shape"])
    value = wire_value(SHAPES, shape["value"]["shape"])
    high = shape.get("max")
    yield Case(f"{path} empty", path, {}, True)
    if high is not None:
        for count, good in ((high, True), (high + 1, False)):
            yield Case(f"{path} of {count}", path, {f"{key}{i}": value for i in range(count)}, good, who)
    for case in shape_cases(shape["key"]["shape"], path):
        yield Case(f"key {case.title}", path, {case.value: value}, case.accepted, who)
    for case in shape_cases(shape["value"]["shape"], path):
        yield Case(f"value {case.title}", path, {key: case.value}, case.accepted, who)
    for wrong in (*WRONG_TYPES[SHAPES[shape["value"]["shape"]]["type"]], None):
        yield Case(f"{path} value as {wrong!r}", path, {key: wrong}, False, who)


def put(document: dict[str, Any], case: Case) -> dict[str, Any]:
    """The document with the case's value at its path."""
    result = copy.deepcopy(document)
    spot: Any = result
    for part in case.path[:-1]:
        spot = spot[part]
    last = case.path[-1]
    if case.value is REMOVED:
        spot.pop(last, None)
    else:
        spot[last] = case.value
    return result


def minimal(operation: str, case: Case) -> dict[str, Any]:
    """A valid input that has everything on the way to the case's path."""
    reference = MODEL["operations"][operation]["input"]["shape"]
    document = wire_value(SHAPES, reference)
    shape, spot = SHAPES[reference], document
    for part in case.path[:-1]:
        if isinstance(part, int):
            inner = shape["member"]["shape"]
        else:
            inner = shape["members"][part]["shape"]
            spot.setdefault(part, wire_value(SHAPES, inner))
        spot, shape = spot[part], SHAPES[inner]
    return document


def send(app, operation: str, document: dict[str, Any]):
    raw = MODEL["operations"][operation]
    members = SHAPES[raw["input"]["shape"]]["members"]
    path, query, body = raw["http"]["requestUri"], [], {}
    for name, value in document.items():
        location = members.get(name, {}).get("location", "body")
        if location == "uri":
            path = path.replace("{" + name + "}", quote(str(value), safe=""))
        elif location == "querystring":
            values = value if isinstance(value, list) else [value]
            query.extend(f"{name}={quote(str(one), safe='')}" for one in values)
        else:
            body[name] = value
    content = json.dumps(body).encode() if raw["http"]["method"] == "POST" else b""
    return call(app, raw["http"]["method"], path, query="&".join(query), body=content)


@pytest.fixture(scope="module")
def recording():
    seen: list[Any] = []

    def operation(name: str):
        output = output_value(SERVICE.operations[name].output, OPERATION_TYPES[name][1])

        def run(caller, request):
            assert type(request) is OPERATION_TYPES[name][0]
            seen.append(request)
            return output

        return run

    app = make_app(operation)
    yield app, seen
    app.close()


@pytest.mark.parametrize("operation", sorted(MODEL["operations"]))
def test_every_constraint_of_the_model(operation: str, recording) -> None:
    app, seen = recording
    wrong: list[str] = []
    for case in cases(operation):
        if case.value is None and MODEL["operations"][operation]["http"]["method"] != "POST":
            continue
        document = put(minimal(operation, case), case)
        before = len(seen)
        answer = send(app, operation, document)
        if case.accepted:
            good = answer.status == 200 and len(seen) == before + 1
        else:
            good = (
                answer.status == 400
                and answer.error == "BadRequestException"
                and len(answer.message) <= 255
                and any(member in answer.message for member in case.members)
                and len(seen) == before
            )
        if not good:
            wrong.append(f"{case.title}: {answer.status} {answer.body[:300]!r}")
    assert not wrong, "\n".join(wrong[:20])


def test_there_are_at_least_two_thousand_cases() -> None:
    assert sum(1 for name in MODEL["operations"] for _ in cases(name)) >= 2000


@pytest.mark.parametrize("operation", sorted(MODEL["operations"]))
def test_full_answers_satisfy_the_output_shape(operation: str, recording) -> None:
    app, _ = recording
    document = wire_value(SHAPES, MODEL["operations"][operation]["input"]["shape"])
    answer = send(app, operation, document)
    assert answer.status == 200, answer.body
    assert list(violations(SERVICE.operations[operation].output, answer.json)) == []
    assert set(answer.json) == {m.wire_name for m in SERVICE.operations[operation].output.members}


@pytest.mark.parametrize("operation", ["CreateApp", "UpdateBranch", "CreateBranch"])
def test_secrets_are_never_repeated(operation: str, recording) -> None:
    app, _ = recording
    document = wire_value(SHAPES, MODEL["operations"][operation]["input"]["shape"])
    secret = "hunter2" * 5000
    answer = send(app, operation, {**document, "basicAuthCredentials": secret, "buildSpec": secret})
    assert answer.error == "BadRequestException"
    assert "basicAuthCredentials" in answer.message
    assert "2 validation errors detected" in answer.message
    assert "hunter" not in answer.message


def test_stage_none_is_accepted_although_the_model_lacks_it(recording) -> None:
    app, seen = recording
    answer = call(app, "POST", "/apps/d1/branches", body={"branchName": "b", "stage": "NONE"})
    assert answer.status == 200
    assert seen[-1].stage == "NONE"
