import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.images.errors import ImageError
from preamp.edge.images.operation import Operation
from preamp.edge.images.parameters import MOST_PARAMETERS, Wanted, parse
from preamp.model.deploy_manifest import ImageSettings

CASES = json.loads((Path(__file__).parent / "parameters.json").read_text("utf-8"))
SETTINGS = ImageSettings(
    sizes=tuple(CASES["sizes"]),
    domains=(),
    remote_patterns=(),
    formats=(),
    minimum_cache_ttl=60,
    dangerously_allow_svg=False,
)


@pytest.mark.parametrize(("query", "changes"), CASES["right"])
def test_what_is_right(query, changes):
    own = {name: changes[name] for name in ("format", "quality") if name in changes}
    rest = {name: value for name, value in changes.items() if name not in own}
    expected = msgspec.convert(
        {"url": "/a.png", "operation": {"width": 100, **rest}, **own}, Wanted, strict=False
    )
    assert parse(query, SETTINGS) == expected


@pytest.mark.parametrize(("query", "text"), CASES["wrong"])
def test_what_is_wrong_is_named(query, text):
    with pytest.raises(ImageError) as caught:
        parse(query, SETTINGS)
    assert caught.value.status == 400
    assert str(caught.value).startswith(text)


def test_every_change_of_pixels_has_a_parameter():
    """A field that no query of the cases sets would be dead."""
    given_names = {name for _, changes in CASES["right"] for name in changes} | {"width"}
    assert set(Operation.__dataclass_fields__) <= given_names


def test_many_parameters_are_refused():
    with pytest.raises(ImageError, match="more than 64 parameters"):
        parse("&".join(f"a{i}=1" for i in range(MOST_PARAMETERS + 1)), SETTINGS)


def test_long_values_are_not_repeated_whole():
    with pytest.raises(ImageError) as caught:
        parse(f"url=/a&width=100&fit={'x' * 5000}", SETTINGS)
    assert len(str(caught.value)) < 250


NAMES = [*Operation.__dataclass_fields__, "url", "format", "quality", "w", "h", "q"]
VALUES = st.one_of(
    st.sampled_from(["100", "200", "", "true", "1_2_3_4", "f00", "webp", "/a.png", "cover", "1.5", "-1"]),
    st.text(max_size=20),
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=12), st.text(max_size=30))
def test_any_query_is_right_or_a_400(pairs, tail):
    query = "&".join(f"{name}={value}" for name, value in pairs) + tail
    status, wanted = 200, None
    try:
        wanted = parse(query, SETTINGS)
    except ImageError as error:
        status = error.status
    assert status == (200 if wanted else 400)
    if wanted:
        assert wanted.operation.width in SETTINGS.sizes
        assert 0 <= wanted.operation.rotate < 360
