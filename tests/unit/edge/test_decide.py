"""Properties of a decision as a whole, over any rules and paths."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.compose import decide
from preamp.edge.content import Content
from preamp.edge.explain import explain
from preamp.edge.guard import Guard
from preamp.edge.outcome import Forward, Message, Redirect, Serve
from preamp.edge.request import Request
from preamp.edge.rules.book import RuleBook
from preamp.edge.site import LoadedSite
from preamp.model.apps import AppConfig, CustomRule
from preamp.model.branches import BranchConfig
from preamp.model.hosting import AppHosting, BranchHosting
from preamp.model.releases import Body, File, Manifest
from preamp.store.hosting import Site

BODY = Body(blob="0" * 64, size=1)
FILES = ("index.html", "a.html", "a/index.html", "b/x.js", "404.html")
CONTENT = Content(
    BODY, Manifest(files={name: File(body=BODY, content_type="text/html; charset=utf-8") for name in FILES})
)
HOST = "main.d1.localhost"


def site(rules: list[CustomRule]) -> LoadedSite:
    return LoadedSite(
        app_id="d1",
        label="main",
        site=Site(
            app_id="d1",
            branch_id=1,
            branch_name="main",
            label="main",
            app=AppConfig(name="x"),
            branch=BranchConfig(),
            app_hosting=AppHosting(),
            branch_hosting=BranchHosting(),
            release_id="r",
            job=1,
            manifest=BODY,
        ),
        content=CONTENT,
        modified_ms=0,
        rules=RuleBook(rules),
        credentials=None,
        guard=Guard(),
    )


SOURCES = st.sampled_from(
    [
        *(
            "/<*>",
            "/a",
            "/a/",
            "/a/<*>",
            "/<x>",
            "/<x>/<y>",
            "/b?i=<i>",
            "</^[^.]+$/>",
            "/a<*>",
            "//",
            "/%2e%2e",
        ),
        *(f"https://{HOST}", "https://example.com", "http://main.d1.localhost"),
    ]
)
TARGETS = st.sampled_from(
    [
        *(
            "/<*>",
            "/a",
            "/a/",
            "/",
            "/<x>",
            "/b?i=1",
            "/index.html",
            "/gone",
            "//example.com",
            "/../x",
            "/a#f",
        ),
        *(f"https://{HOST}", f"http://{HOST}/a", f"http://{HOST}", "https://example.com/<*>"),
    ]
)
RULES = st.lists(
    st.builds(
        CustomRule,
        source=SOURCES,
        target=TARGETS,
        status=st.sampled_from(["200", "301", "302", "404", "404-200", None]),
    ),
    max_size=6,
)
PATHS = st.lists(
    st.sampled_from(["a", "b", "", "..", ".", "%2e%2e", "%2F", "x.js", "index.html", "%ff", "é", "a%20b"]),
    max_size=4,
).map(lambda parts: "/" + "/".join(parts))


def request(path: str, query: str) -> Request:
    return Request(method="GET", scheme="http", authority=HOST, raw_path=path, query=query, headers={})


@given(rules=RULES, path=PATHS, query=st.sampled_from(["", "i=1", "x"]))
def test_a_decision_never_leads_to_itself_and_never_out_of_the_release(rules, path, query):
    asked = request(path, query)
    outcome = decide(asked, site(rules))
    match outcome:
        case Redirect(location=location):
            here = f"http://{HOST}{asked.target}"
            assert location.isascii()
            assert not any(char.isspace() for char in location)
            assert not location.startswith("//")
            if "#" not in location and ".." not in location and "/./" not in here:
                there = urljoin(here, location) if location.startswith("/") else location
                if urlsplit(there).path == "":
                    there += "/"
                assert there != here
        case Serve():
            assert outcome.path in FILES
        case Forward(url=url):
            assert url.startswith(("http://", "https://"))
        case Message():
            assert outcome.status == 404


@given(rules=RULES, path=PATHS, query=st.sampled_from(["", "i=1"]))
def test_every_url_can_be_explained(rules, path, query):
    asked, where = request(path, query), site(rules)
    told = explain(asked, where)
    outcome = decide(asked, where)
    if isinstance(outcome, Forward):
        assert told.forwards_to == outcome.url
    else:
        assert told.status is not None
    assert told.rule is None or told.rule not in {rule.number for rule in told.skipped}
    if told.rule is None:  # then every rule has its reason
        assert len(told.skipped) == len(rules)
