"""Image routes of a released site, through a whole edge; the server of the release is a fake."""

from __future__ import annotations

import pytest
import pyvips

from preamp.edge.images import images
from tests.support.compute import IMAGE_SETTINGS, FakeCompute, manifest, target
from tests.support.edge import World, running_edge
from tests.support.images import jpeg, large_png, photo, png, quarters
from tests.support.upstream import running_upstream

HEADERS = "customHeaders: [{pattern: '/img/**', headers: [{key: X-Site, value: 'yes'}]}]"
ROUTES = manifest(
    {"path": "/img/long/*", "target": target("ImageOptimization", "public, max-age=99")},
    {"path": "/img/*", "target": target("ImageOptimization")},
    {"path": "/else/*", "target": target("ImageOptimization"), "fallback": target("Static")},
    {"path": "/*.*", "target": target("Static", "public, max-age=700"), "fallback": target("Compute")},
    {"path": "/*", "target": target("Compute")},
)
FILES = {
    "photo.jpg": jpeg(photo(400, 300)),
    "folder/a b.png": png(quarters()),
    "bomb.png": large_png(30_000, 30_000),
    "large.bin": bytes(12_000_000),
    "else/a.txt": b"instead",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    world, socket = World(folder), folder / "server.sock"
    with (
        running_upstream(path=str(socket)) as server,
        running_edge(world, compute=FakeCompute(socket)) as edge,
    ):
        app = world.app()
        done = world.published(FILES, HEADERS, deploy_manifest=ROUTES)
        world.release(app, world.branch(app), 1, done)
        host = f"main.{app}.localhost"
        yield lambda *told, **how: edge.get(host, *told, **how), server


def test_a_file_of_the_release(site):
    get, _ = site
    reply = get("/img/x?url=%2Fphoto.jpg&width=100", "Accept: image/avif,image/webp,*/*")
    assert (reply.status, reply.headers["content-type"]) == (200, "image/webp")
    assert reply.headers["cache-control"] == "public, max-age=700"  # as the source's own route says
    assert reply.headers["vary"] == "Accept"
    assert reply.headers["x-site"] == "yes"
    made = pyvips.Image.new_from_buffer(reply.body, "")
    assert (made.width, made.height) == (100, 75)
    assert get("/img/x?url=%2Ffolder%2Fa%20b.png&width=100").status == 200
    assert get("/img/x?url=folder/a%2520b.png&width=100").status == 200
    assert get("/img/long/x?url=/photo.jpg&w=100").headers["cache-control"] == "public, max-age=99"


def test_every_visitor_gets_what_he_accepts(site):
    """Nothing is repeated from memory for somebody else."""
    get, _ = site
    for _ in range(2):
        for accept, content_type in (
            ("image/webp", "image/webp"),
            ("image/png", "image/png"),
            ("*/*", "image/jpeg"),
        ):
            reply = get("/img/x?url=/photo.jpg&width=200", f"Accept: {accept}")
            assert reply.headers["content-type"] == content_type


def test_a_file_of_the_release_is_not_hashed_for_each_visitor(site, monkeypatch):
    """It has the name that it would get."""
    monkeypatch.setattr(images, "source_digest", None)
    get, _ = site
    assert get("/img/x?url=/photo.jpg&width=100").status == 200


def test_methods_and_conditions(site):
    get, _ = site
    target = "/img/x?url=/photo.jpg&width=100"
    whole = get(target)
    head = get(target, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))
    again = get(target, f"If-None-Match: {whole.headers['etag']}")
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", whole.headers["etag"])
    assert get(target, "Content-Length: 0", method="POST").status == 405


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        ("/none.jpg", 404, b"there is no source at this url\n"),
        ("/bomb.png", 413, b"the source has 30000x30000 pixels"),
        ("/large.bin", 413, b"the source has 12000000 bytes"),
        ("/echo", 400, b"the source is no image of a known kind"),  # of the server
        ("/status/500", 502, b"the source was answered with 500"),
        ("/chunked/12000000", 413, b"the source is too large"),
        ("/garbage", 502, b"the source's server gave no usable answer"),
        ("https://evil.example/x", 400, b"url leads to evil.example"),
        ("https://images.example.com.localhost/", 400, b"url leads to images.example.com.localhost"),
    ],
)
def test_sources_that_are_no_use(site, url, status, text):
    get, _ = site
    reply = get(f"/img/x?url={url}&width=100")
    assert (reply.status, reply.body[: len(text)]) == (status, text)
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.headers["cache-control"] == "no-cache"


def test_an_image_of_an_image_ends(site):
    get, server = site
    before = len(server.requests)
    reply = get("/img/x?url=%2Fimg%2Fx%3Furl%3D%252Fphoto.jpg%26width%3D100&width=100")
    assert reply.status in {400, 404}
    assert len(server.requests) <= before + 1


def test_without_a_source_the_fallback_answers(site):
    get, _ = site
    assert get("/else/a.txt?url=/none.jpg&width=100").body == b"instead"
    assert get("/else/a.txt?url=/photo.jpg&width=100").headers["content-type"] == "image/jpeg"
    assert get("/else/a.txt?url=/photo.jpg&width=101").status == 400


def test_sizes_are_the_sites(site):
    get, _ = site
    assert IMAGE_SETTINGS["sizes"] == [100, 200]
    reply = get("/img/x?url=/photo.jpg&width=300")
    assert (reply.status, reply.body) == (
        400,
        b"width is '300': it has to be one of this site's sizes (100, 200)\n",
    )
