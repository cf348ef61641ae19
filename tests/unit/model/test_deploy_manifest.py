"""Manifests as adapters write them, and each rule broken once: manifests/changes.txt."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.model.deploy_manifest import (
    DeployManifestError,
    ImageFormat,
    RemotePattern,
    Target,
    TargetKind,
    parse,
)

FOLDER = Path(__file__).parent / "manifests"
_LINE = re.compile(r"(?P<where>\S+)\s+(?:(?P<value>.*?)\s+)?\| (?P<result>.*)")


@dataclass(frozen=True)
class Change:
    line: int
    where: str
    value: str | None
    result: str

    def applied(self) -> str:
        document = json.loads((FOLDER / "express.json").read_text())
        *way, last = [int(part) if part.isdigit() else part for part in self.where.split(".")]
        holder = document
        for part in way:
            holder = holder[part]
        if self.value is None:
            del holder[last]
        else:
            holder[last] = json.loads(self.value)
        return json.dumps(document)


def changes() -> list[Change]:
    found = []
    for number, line in enumerate((FOLDER / "changes.txt").read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            match = _LINE.fullmatch(line)
            assert match, f"line {number}"
            found.append(Change(number, match["where"], match["value"], match["result"]))
    return found


@pytest.mark.parametrize("change", changes(), ids=lambda change: f"line {change.line}")
def test_change(change):
    if change.result == "+":
        assert parse(change.applied()).warnings == ()
    elif change.result.startswith("! "):
        (warning,) = parse(change.applied()).warnings
        assert warning.startswith(change.result[2:])
    else:
        with pytest.raises(DeployManifestError) as caught:
            parse(change.applied())
        assert str(caught.value).startswith(change.result)


def test_there_are_changes_for_each_part():
    found = changes()
    assert len(found) >= 80
    parts = {change.where.split(".")[0] for change in found}
    assert parts >= {"version", "framework", "routes", "computeResources", "imageSettings"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_manifests_of_adapters_are_read_without_a_word(path):
    assert parse(path.read_text()).warnings == ()


def test_values():
    found = parse((FOLDER / "express.json").read_text())
    assert [route.path for route in found.routes] == ["/_amplify/image", "/*.*", "/*"]
    compute = Target(kind=TargetKind.COMPUTE, src="default")
    assert found.routes[1].target == Target(kind=TargetKind.STATIC, cache_control="public, max-age=2")
    assert found.routes[1].fallback == compute
    assert found.routes[2].target == compute
    assert found.routes[2].fallback is None
    assert (found.framework.name, found.framework.version) == ("express", "4.18.2")
    assert found.server is not None
    assert (found.server.runtime, found.server.entrypoint) == ("nodejs22.x", "index.js")
    images = found.image_settings
    assert images is not None
    assert images.sizes == (100, 200, 1920)
    assert images.domains == ("images.example.com",)
    assert images.formats == (ImageFormat.AVIF, ImageFormat.WEBP)
    assert (images.minimum_cache_ttl, images.dangerously_allow_svg) == (60, False)
    assert images.remote_patterns == (
        RemotePattern(protocol="https", hostname="**.example.org", port="", pathname="/photos/**"),
        RemotePattern(hostname="example.net"),
    )


def test_the_right_spelling_wins():
    text = (FOLDER / "express.json").read_text().replace('"minumumCacheTTL": 60,', '"minimumCacheTTL": 7,')
    for manifest in (text, text.replace('"minimumCacheTTL"', '"minumumCacheTTL": 60, "minimumCacheTTL"')):
        settings = parse(manifest).image_settings
        assert settings is not None
        assert settings.minimum_cache_ttl == 7


def test_a_server_that_no_route_leads_to_is_none():
    document = json.loads((FOLDER / "sveltekit.json").read_text())
    document["routes"] = [{"path": "/*", "target": {"kind": "Static"}}]
    assert parse(json.dumps(document)).server is None


def test_entrypoints_are_read_in_one_spelling():
    text = (FOLDER / "express.json").read_text().replace('"index.js"', '"./dist//index.js"')
    assert parse(text).compute_resources[0].entrypoint == "dist/index.js"


def test_bounds():
    document = json.loads((FOLDER / "sveltekit.json").read_text())
    last = document["routes"][-1]
    many = [{"path": f"/{number}", "target": {"kind": "Static"}} for number in range(24)]
    document["routes"] = [*many, last]
    assert len(parse(json.dumps(document)).routes) == 25
    document["routes"] = [*many, {"path": "/x", "target": {"kind": "Static"}}, last]
    with pytest.raises(DeployManifestError, match=r"^routes has 26 routes: at most 25 are allowed"):
        parse(json.dumps(document))
    document["routes"] = [{"path": "/" + "a" * 254, "target": {"kind": "Static"}}, last]
    assert parse(json.dumps(document))
    document["routes"][0]["path"] += "a"
    with pytest.raises(DeployManifestError, match=r"^routes\[0\].path has 256 characters: at most 255"):
        parse(json.dumps(document))


def test_images_alone_are_no_site():
    document = json.loads((FOLDER / "express.json").read_text())
    document["routes"] = [{"path": "/*", "target": {"kind": "ImageOptimization"}}]
    with pytest.raises(DeployManifestError, match=r"^routes needs at least one route to Static or Compute"):
        parse(json.dumps(document))


def test_two_resources_of_one_name():
    document = json.loads((FOLDER / "sveltekit.json").read_text())
    document["computeResources"] *= 2
    with pytest.raises(DeployManifestError, match=r"^computeResources\[1\].name is 'default' like the one"):
        parse(json.dumps(document))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the document is not JSON: Expecting value: line 1 column 1"),
        ("{", "the document is not JSON"),
        ("[]", "the document has to be an object, not a list"),
        ("null", "the document has to be an object, not null"),
        ('{"version": NaN}', "the document is not JSON: NaN is not a JSON value"),
        ("[" * 100_000, "the document is "),
    ],
)
def test_what_is_no_document(text, reason):
    with pytest.raises(DeployManifestError) as caught:
        parse(text)
    assert str(caught.value).startswith(reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(change=st.sampled_from(changes()), value=JSON)
def test_any_value_anywhere_is_read_or_refused_by_name(change, value):
    changed = Change(change.line, change.where, json.dumps(value), "")
    with contextlib.suppress(DeployManifestError):  # and nothing else
        parse(changed.applied())
