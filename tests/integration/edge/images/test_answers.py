"""Answers: headers, conditions, what passes as it is, and what is kept for the next visitor."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from preamp.edge.images import processes
from preamp.edge.images.images import SVG_POLICY
from preamp.edge.images.source import Source
from preamp.model.deploy_manifest import ImageFormat
from tests.support.images import chunk, jpeg, photo, plain, png, quarters, running_optimiser

GIF = bytes.fromhex("47494638396101000100800000ff0000ffffff2c00000000010001000002024401003b")
SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture
def optimiser(tmp_path):
    with running_optimiser(tmp_path / "images") as running:
        running.files = {
            "/photo.jpg": jpeg(photo(600, 400)),
            "/a.png": png(quarters()),
            "/a.gif": GIF,
            "/a.svg": SVG,
            "/a.txt": b"hello",
            "/empty": b"",
        }
        yield running


def test_headers(optimiser):
    answer = optimiser.ask("url=%2Fphoto.jpg&width=100", accept="image/avif,image/webp,*/*")
    assert answer.status == 200
    assert answer.body[4:12] == b"ftypavif"
    tag, modified = answer.headers.pop("ETag"), answer.headers.pop("Last-Modified")
    assert answer.headers == {
        "Content-Type": "image/avif",
        "Cache-Control": "public, max-age=60",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    assert tag.startswith('"')
    assert parsedate_to_datetime(modified)


@pytest.mark.parametrize(
    ("route", "source", "ttl", "expected"),
    [
        (None, None, 60, "public, max-age=60"),
        (None, None, 0, "public, max-age=0"),
        (None, "public, max-age=3600", 60, "public, max-age=3600"),
        (None, "public, max-age=30", 60, "public, max-age=60"),
        (None, "no-store", 60, "public, max-age=60"),
        ("public, max-age=31536000, immutable", "max-age=5", 60, "public, max-age=31536000, immutable"),
    ],
)
def test_how_long_an_answer_may_be_kept(optimiser, route, source, ttl, expected):
    optimiser.cache_control = source
    answer = optimiser.ask("url=/a.gif&width=100", cache_control=route, minimum_cache_ttl=ttl)
    assert answer.headers["Cache-Control"] == expected


def test_conditions(optimiser):
    first = optimiser.ask("url=/photo.jpg&width=100")
    tag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for conditions in (
        {"if-none-match": tag},
        {"if-none-match": f'"x", W/{tag}'},
        {"if-modified-since": modified},
    ):
        answer = optimiser.ask("url=/photo.jpg&width=100", conditions=conditions)
        assert (answer.status, answer.body) == (304, b""), conditions
        assert answer.headers["ETag"] == tag
        assert answer.headers["Vary"] == "Accept"
        assert "Content-Type" not in answer.headers
    assert optimiser.ask("url=/photo.jpg&width=100", conditions={"if-none-match": '"x"'}).status == 200
    assert optimiser.ask("url=/photo.jpg&width=100", conditions={"if-match": '"x"'}).status == 412
    other = optimiser.ask("url=/photo.jpg&width=200", conditions={"if-none-match": tag})
    assert other.status == 200
    assert other.headers["ETag"] != tag


def test_the_tag_follows_the_source_and_the_format(optimiser):
    tags = {optimiser.ask("url=/photo.jpg&width=100").headers["ETag"]}
    tags.add(optimiser.ask("url=/photo.jpg&width=100", accept="image/webp").headers["ETag"])
    optimiser.files["/photo.jpg"] = jpeg(photo(600, 401))
    tags.add(optimiser.ask("url=/photo.jpg&width=100").headers["ETag"])
    assert len(tags) == 3


@pytest.mark.parametrize("path", ["/photo.jpg", "photo.jpg", "/photo.jpg#there"])
def test_paths_of_the_site(optimiser, path):
    assert optimiser.ask(f"url={path.replace('#', '%23')}&width=100").status == 200
    assert optimiser.asked == ["/photo.jpg"]


def test_errors(optimiser):
    def ask(query, **settings):
        answer = optimiser.ask(query, **settings)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        return answer.status, answer.body.decode().strip()

    assert ask("url=/none.png&width=100") == (404, "there is no source at this url")
    assert ask("url=/a.txt&width=100") == (
        400,
        "the source is no image of a known kind: JPEG, PNG, WebP, AVIF, GIF or SVG",
    )
    assert ask("url=/empty&width=100")[0] == 400
    assert ask("url=/a.png&width=99")[1].startswith("width is '99'")
    assert ask("url=/a.svg&width=100") == (400, "the source is an SVG, which this site does not allow")
    assert ask("url=https://other.example/a.png&width=100", domains=("mine.example",)) == (
        400,
        "url leads to other.example, which is not among this site's domains and remotePatterns",
    )
    assert ask("url=%2F%2Fevil.example/a.png&width=100")[0] == 400
    assert optimiser.images.transformers.pids == []  # nothing was started for any of them


def test_svg_passes_without_its_scripts_where_it_is_allowed(optimiser):
    answer = optimiser.ask("url=/a.svg&width=100", accept="image/webp", dangerously_allow_svg=True)
    assert (answer.status, answer.body) == (200, SVG)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Security-Policy"] == SVG_POLICY == "script-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_moving_images_pass_as_they_are(optimiser):
    apng = optimiser.files["/a.png"]
    apng = apng[:33] + chunk(b"acTL", bytes(8)) + apng[33:]
    still = [quarters(40, 20), quarters(40, 20).fliphor()]
    roll = still[0].join(still[1], "vertical").copy()
    roll.set_type(pytest.importorskip("pyvips").GValue.gint_type, "page-height", 20)
    webp = roll.webpsave_buffer()
    optimiser.files |= {"/moving.png": apng, "/moving.webp": webp}
    for path, content_type in (
        ("/a.gif", "image/gif"),
        ("/moving.png", "image/png"),
        ("/moving.webp", "image/webp"),
    ):
        answer = optimiser.ask(f"url={path}&width=16&rotate=90&format=jpeg", accept="image/avif")
        assert (answer.status, answer.body) == (200, optimiser.files[path]), path
        assert answer.headers["Content-Type"] == content_type
        assert (
            optimiser.ask(f"url={path}&width=16", conditions={"if-none-match": answer.headers["ETag"]}).status
            == 304
        )
        assert optimiser.ask(f"url={path}&width=99").status == 400
    assert optimiser.images.transformers.pids == []


def test_formats_of_the_site(optimiser):
    webp = optimiser.ask(
        "url=/photo.jpg&width=100", accept="image/avif,image/webp", formats=(ImageFormat.WEBP,)
    )
    assert webp.headers["Content-Type"] == "image/webp"
    same = optimiser.ask("url=/photo.jpg&width=100&format=avif", accept="image/avif", formats=())
    assert same.headers["Content-Type"] == "image/jpeg"


def test_results_are_kept_and_shared(optimiser):
    first = optimiser.ask("url=/photo.jpg&width=100")
    assert optimiser.images.transformers.done == 1
    optimiser.files["/same.jpg"] = optimiser.files["/photo.jpg"]
    for query in ("url=/photo.jpg&width=100", "width=100&url=%2Fphoto.jpg&x=1", "url=/same.jpg&w=100"):
        assert optimiser.ask(query) == first
    assert optimiser.images.transformers.done == 1
    with running_optimiser(optimiser.folder) as other:  # another process of the same machine
        other.files = optimiser.files
        assert other.ask("url=/photo.jpg&width=100") == first
        assert other.images.transformers.pids == []
    assert optimiser.ask("url=/photo.jpg&width=200").body != first.body
    assert optimiser.images.transformers.done == 2


def test_the_cache_has_a_bound(tmp_path):
    with running_optimiser(tmp_path, max_bytes=20_000) as small:
        small.files["/photo.jpg"] = jpeg(photo(600, 400))
        # Some kilobytes each, so that all thirty would be several times as much.
        for quality in range(40, 100, 2):
            assert (
                small.ask(f"url=/photo.jpg&width=300&sharpen=3&format=webp&quality={quality}").status == 200
            )
        kept = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
        assert 10_000 < sum(kept) <= 24_000
        assert small.images.transformers.done == 30


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, caplog):
    (tmp_path / "images").write_bytes(b"a file where the folder should be")
    with running_optimiser(tmp_path / "images") as broken:
        broken.files["/a.png"] = png(quarters())
        for _ in range(2):
            assert broken.ask("url=/a.png&width=100").status == 200
        assert broken.images.transformers.done == 2
    assert "the cache of images cannot be written" in caplog.text


def test_requests_for_one_image_wait_for_one_change(optimiser):
    async def many():
        return await asyncio.gather(*(optimiser.respond("url=/photo.jpg&width=640") for _ in range(20)))

    answers = optimiser.run(many())
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert optimiser.images.transformers.done == 1


def test_a_line_that_is_too_long_is_cut(optimiser, monkeypatch):
    monkeypatch.setattr(processes, "MOST_WAITING", 3)

    async def many():
        queries = [f"url=/photo.jpg&width=640&blur={number}" for number in range(1, 21)]
        return await asyncio.gather(*(optimiser.respond(query) for query in queries))

    answers = optimiser.run(many())
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) >= 5
    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) == 20 - statuses.count(200) > 0
    assert refused[0].headers["Retry-After"] == "1"
    assert len(optimiser.images.transformers.pids) == 2
    assert optimiser.ask("url=/photo.jpg&width=640&blur=20").status == 200


def test_an_image_of_an_image_is_refused(optimiser):
    async def local(target):
        answer = await optimiser.respond(target.partition("?")[2], local=local)
        return Source(status=answer.status, body=answer.body)

    query = "url=%2Fimages%3Furl%3D%252Fa.png%26width%3D100&width=100"
    assert optimiser.ask(query, local=local).status == 502


def test_png_of_one_pixel(optimiser):
    made = optimiser.picture(png(plain(1, 1, 255, 0, 0)), "width=100&height=100&fit=cover")
    assert (made.width, made.height) == (1, 1)
