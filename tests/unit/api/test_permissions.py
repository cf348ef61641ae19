from __future__ import annotations

from preamp.api.permissions import _TARGETS
from preamp.api.shapes import OPERATION_TYPES


def test_every_operation_of_the_model_is_checked() -> None:
    assert set(_TARGETS) == set(OPERATION_TYPES)
