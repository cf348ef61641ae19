import pytest

from preamp.edge.images.errors import ImageError
from preamp.edge.images.hosts import check, is_remote, local_target
from preamp.model.deploy_manifest import ImageSettings, RemotePattern


def settings(*patterns, domains=()):
    return ImageSettings(
        sizes=(100,),
        domains=domains,
        remote_patterns=patterns,
        formats=(),
        minimum_cache_ttl=0,
        dangerously_allow_svg=False,
    )


def allowed(url, made):
    try:
        check(url, made)
    except ImageError as error:
        return error.status != 400
    return True


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Images.example.com/a.png", True),
        ("https://images.example.com:8443/a.png?x=1#y", True),
        ("https://other.example.com/a.png", False),
        ("https://images.example.com.evil.example/a.png", False),
        ("https://evil.example/images.example.com", False),
        ("https://images.example.com@evil.example/a.png", False),
        ("https://user@images.example.com/a.png", False),
        ("https://evil.example\\@images.example.com/a.png", False),
        ("https://evil.example#@images.example.com/a.png", False),
        ("http://images.example.com/a.png", False),
        ("ftp://images.example.com/a.png", False),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
        ("https:images.example.com", False),
        ("https:///a.png", False),
        ("https://images.example.com:99999/", False),
        ("https://images.example.com/a\r\nHost: evil", True),
    ],
)
def test_domains(url, expected):
    assert allowed(url, settings(domains=("images.example.COM",))) is expected


@pytest.mark.parametrize(
    ("pattern", "url", "expected"),
    [
        ({"hostname": "a.example"}, "https://a.example/x", True),
        ({"hostname": "a.example"}, "https://aXexample/x", False),
        ({"hostname": "a.example", "protocol": "https"}, "https://a.example/x", True),
        ({"hostname": "*.example"}, "https://a.example/x", True),
        ({"hostname": "*.example"}, "https://a.b.example/x", False),
        ({"hostname": "*.example"}, "https://example/x", False),
        ({"hostname": "**.example"}, "https://a.b.example/x", True),
        ({"hostname": "**.example"}, "https://a.example/x", True),
        ({"hostname": "**.example"}, "https://example/x", False),
        ({"hostname": "**.example"}, "https://notexample/x", False),
        ({"hostname": "img-*.example"}, "https://img-7.example/x", True),
        ({"hostname": "**"}, "https://anything.example/x", True),
        ({"hostname": "a.example", "port": "8443"}, "https://a.example:8443/x", True),
        ({"hostname": "a.example", "port": "8443"}, "https://a.example/x", False),
        ({"hostname": "a.example", "port": ""}, "https://a.example/x", True),
        ({"hostname": "a.example", "port": ""}, "https://a.example:8443/x", False),
        ({"hostname": "a.example"}, "https://a.example:8443/x", True),
        ({"hostname": "a.example", "pathname": "/mine/**"}, "https://a.example/mine/b/c.png", True),
        ({"hostname": "a.example", "pathname": "/mine/**"}, "https://a.example/other.png", False),
        ({"hostname": "a.example", "pathname": "/mine/*"}, "https://a.example/mine/b.png", True),
        ({"hostname": "a.example", "pathname": "/mine/*"}, "https://a.example/mine/b/c.png", False),
        ({"hostname": "a.example", "pathname": "/mine/a.png"}, "https://a.example/mine/a.png?v=2", True),
        # A server might go up from the folder.
        ({"hostname": "a.example", "pathname": "/mine/**"}, "https://a.example/mine/../x.png", False),
        ({"hostname": "a.example", "pathname": "/mine/**"}, "https://a.example/mine/%2e%2E/x.png", False),
        ({"hostname": "a.example", "pathname": "/mine/**"}, "https://a.example/mine/..%2fx.png", False),
        ({"hostname": "a.example", "pathname": "/mine/**"}, "https://a.example/mine/..%5cx.png", False),
        ({"hostname": "(a+)+.example"}, f"https://{'a' * 60}.example/x", False),
    ],
)
def test_patterns(pattern, url, expected):
    assert allowed(url, settings(RemotePattern(**pattern))) is expected


def test_what_is_asked_for_is_a_clean_request_line():
    made = settings(domains=("a.example",))
    origin, target = check("https://a.example/ä b\r\n.png?x=ü&y=%20#z", made)
    assert (origin.authority, target) == ("a.example", "/%C3%A4%20b%0D%0A.png?x=%C3%BC&y=%20")


def test_remote_and_local():
    assert is_remote("https://a.example/x")
    assert is_remote("data:image/png;base64,xx")
    assert not is_remote("/a.png")
    assert not is_remote("a.png")
    for url in ("//evil.example/a.png", "\\\\evil.example/a.png", "/\\evil.example/a.png", "x" * 5000):
        with pytest.raises(ImageError):
            is_remote(url)
    assert local_target("/ä b.png?x=1#z") == "/%C3%A4%20b.png?x=1"
    assert local_target("a%20b.png") == "/a%20b.png"
    assert local_target("/a\r\nb") == "/a%0D%0Ab"
