import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.images.geometry import Plan, plan
from preamp.edge.images.operation import Box, Fit, Position


@pytest.mark.parametrize(
    ("source", "wanted", "fit", "position", "size", "crop", "pad"),
    [
        # Width alone keeps the proportions and never enlarges.
        ((400, 200), (100, None), "cover", "center", (100, 50), None, None),
        ((400, 200), (800, None), "cover", "center", (400, 200), None, None),
        ((1000, 1), (100, None), "cover", "center", (100, 1), None, None),
        ((400, 200), (100, 100), "cover", "center", (200, 100), (50, 0, 100, 100), None),
        ((400, 200), (100, 100), "cover", "left", (200, 100), (0, 0, 100, 100), None),
        ((400, 200), (100, 100), "cover", "right", (200, 100), (100, 0, 100, 100), None),
        ((400, 200), (100, 100), "cover", "top", (200, 100), (50, 0, 100, 100), None),
        ((200, 400), (100, 100), "cover", "top", (100, 200), (0, 0, 100, 100), None),
        ((200, 400), (100, 100), "cover", "bottom", (100, 200), (0, 100, 100, 100), None),
        ((400, 200), (200, 100), "cover", "center", (200, 100), None, None),
        ((400, 200), (300, 300), "cover", "center", (400, 200), (50, 0, 300, 200), None),
        ((400, 200), (100, 100), "contain", "center", (100, 50), None, (0, 25, 100, 100)),
        ((400, 200), (100, 100), "contain", "top", (100, 50), None, (0, 0, 100, 100)),
        ((400, 200), (100, 100), "contain", "bottom", (100, 50), None, (0, 50, 100, 100)),
        ((200, 400), (100, 100), "contain", "right", (50, 100), None, (50, 0, 100, 100)),
        ((40, 20), (100, 100), "contain", "left", (40, 20), None, (0, 40, 100, 100)),
        ((400, 200), (100, 100), "fill", "center", (100, 100), None, None),
        ((400, 50), (100, 100), "fill", "center", (100, 50), None, None),
        ((400, 200), (100, 100), "inside", "center", (100, 50), None, None),
        ((400, 200), (100, 100), "outside", "center", (200, 100), None, None),
        ((400, 200), (900, 900), "outside", "center", (400, 200), None, None),
    ],
)
def test_plans(source, wanted, fit, position, size, crop, pad):
    def box(four):
        return Box(left=four[0], top=four[1], width=four[2], height=four[3]) if four else None

    found = plan(*source, width=wanted[0], height=wanted[1], fit=Fit(fit), position=Position(position))
    assert found == Plan(width=size[0], height=size[1], crop=box(crop), pad=box(pad))


SIDE = st.integers(1, 9000)


@given(SIDE, SIDE, SIDE, st.none() | SIDE, st.sampled_from(Fit), st.sampled_from(Position))
def test_any_plan_can_be_done(source_width, source_height, width, height, fit, position):
    found = plan(source_width, source_height, width=width, height=height, fit=fit, position=position)
    assert 1 <= found.width <= source_width
    assert 1 <= found.height <= source_height
    if found.crop:
        crop = found.crop
        assert crop.left >= 0
        assert crop.top >= 0
        assert crop.left + crop.width <= found.width
        assert crop.top + crop.height <= found.height
    if found.pad:
        pad = found.pad
        assert pad.left >= 0
        assert pad.top >= 0
        assert pad.left + found.width <= pad.width
        assert pad.top + found.height <= pad.height
        assert (pad.width, pad.height) == (width, height)
