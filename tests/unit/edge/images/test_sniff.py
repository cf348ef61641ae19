import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.images.sniff import STILL, Kind, kind_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name, data=b""):
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def ftyp(major, *compatible):
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + major + bytes(4) + brands


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind.JPEG),
        (SIGNATURE + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT"), Kind.PNG),
        (SIGNATURE + chunk(b"IHDR", bytes(13)) + chunk(b"acTL", bytes(8)) + chunk(b"IDAT"), Kind.APNG),
        # After the picture it announces nothing.
        (SIGNATURE + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT") + chunk(b"acTL", bytes(8)), Kind.PNG),
        (SIGNATURE, Kind.PNG),
        (SIGNATURE + chunk(b"tEXt", b"acTL") + chunk(b"IDAT"), Kind.PNG),
        (b"GIF87a", Kind.GIF),
        (b"GIF89a...", Kind.GIF),
        (b"RIFF\0\0\0\0WEBPVP8 ", Kind.WEBP),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0", Kind.WEBP),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x12\0\0\0", Kind.MOVING_WEBP),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (ftyp(b"avif", b"mif1", b"miaf"), Kind.AVIF),
        (ftyp(b"mif1", b"avif"), Kind.AVIF),
        (ftyp(b"avis", b"avif"), Kind.MOVING_AVIF),
        (ftyp(b"heic", b"mif1"), None),
        (ftyp(b"isom", b"mp42"), None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Kind.SVG),
        (b"\xef\xbb\xbf  <?xml version='1.0'?>\n<!-- <html> --><SVG>", Kind.SVG),
        (b"<?xml?><!DOCTYPE svg PUBLIC 'x' [\n<!ENTITY a 'b'>\n<!ENTITY c 'd'>\n]><svg:svg>", Kind.SVG),
        (b"<html><svg></svg></html>", None),
        (b"<svgfoo>", None),
        (b"<!-- <svg>", None),
        (b" " * 9000 + b"<svg>", None),
        (b"II*\0", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_kinds(data, kind):
    assert kind_of(data) is kind


def test_only_still_images_have_a_format():
    assert {kind for kind in Kind if kind.format is not None} == STILL
    assert Kind.APNG.content_type == "image/png"
    assert Kind.SVG.content_type == "image/svg+xml"
    assert Kind.AVIF.content_type == "image/avif"


@given(
    st.sampled_from([b"", SIGNATURE, b"RIFF\0\0\0\0WEBP", b"\0\0\0\xffftypavif", b"<?", b"<!--", b"GIF"]),
    st.binary(max_size=200),
)
def test_any_bytes_can_be_looked_at(head, rest):
    kind_of(head + rest)
