import pytest

from preamp.edge.images.errors import ImageError
from preamp.edge.images.source import MOST_BYTES, Source, fresh_seconds, usable


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("max-age=60", 60),
        ("public, MAX-AGE = 60", 60),
        ('max-age="60"', 60),
        ("s-maxage=900, max-age=5", 5),
        ("s-maxage=900", 0),
        ("x-max-age=9", 0),
        ("max-age=60, no-store", 0),
        ("private, max-age=60", 0),
        ("no-cache", 0),
        ("max-age=-5", 0),
        ("max-age=9999999999", 2**31 - 1),
        ("immutable", 0),
    ],
)
def test_freshness(header, seconds):
    assert fresh_seconds(header) == seconds


@pytest.mark.parametrize(("found", "status"), [(404, 404), (410, 404), (500, 502), (403, 502), (204, 502)])
def test_answers_without_an_image(found, status):
    with pytest.raises(ImageError) as caught:
        usable(Source(status=found, body=b""))
    assert caught.value.status == status


def test_the_limit_of_a_source():
    assert len(usable(Source(status=200, body=bytes(MOST_BYTES)))) == MOST_BYTES
    with pytest.raises(ImageError, match="has 11000001 bytes: at most 11000000 are allowed") as caught:
        usable(Source(status=200, body=bytes(MOST_BYTES + 1)))
    assert caught.value.status == 413
