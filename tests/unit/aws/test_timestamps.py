from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.aws.timestamps import from_wire
from preamp.model.times import milliseconds, seconds


@given(st.integers(min_value=-62135596800000, max_value=253402300799000))
def test_milliseconds_survive_the_wire(ms: int) -> None:
    found = from_wire(json.loads(json.dumps(seconds(ms))))
    assert found == seconds(ms)
    assert milliseconds(found) == ms


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (1704164645, 1704164645.0),
        (1600408195.766, 1600408195.766),
        ("2020-09-18T05:49:55.766Z", 1600408195.766),
        ("2020-09-18T07:49:55.766+02:00", 1600408195.766),
        ("2020-09-18T05:49:55", 1600408195.0),
    ],
)
def test_accepted_forms(wire: object, expected: float) -> None:
    assert from_wire(wire) == expected


@pytest.mark.parametrize(
    "wire", [True, None, "soon", "", [], float("nan"), float("inf"), 10**400, "0001-01-01T00:00:00+23:59"]
)
def test_refused(wire: object) -> None:
    assert from_wire(wire) is None
