from __future__ import annotations

import json

import pytest

from preamp.build.live_updates import live_updates


def given(*entries: object, name: str = "_LIVE_UPDATES"):
    return live_updates({name: json.dumps(list(entries))})


def test_none() -> None:
    assert live_updates({}) == live_updates({"_LIVE_UPDATES": " "})
    assert not live_updates({}).commands


def test_what_the_console_writes() -> None:
    found = given(
        {"name": "Amplify CLI", "pkg": "@aws-amplify/cli", "type": "npm", "version": "latest"},
        {"name": "Node.js version", "pkg": "node", "type": "nvm", "version": "20.11.0"},
        {"name": "Yarn", "pkg": "yarn", "type": "npm", "version": "1.22.22"},
    )
    assert found.node == "20.11.0"
    assert found.commands == (
        "npm install -g @aws-amplify/cli@latest",
        "npm install -g yarn@1.22.22",
    )
    assert found.warnings == ()


def test_old_name() -> None:
    assert given({"pkg": "node", "type": "nvm", "version": "18"}, name="_LIVE_PACKAGE_UPDATES").node == "18"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"pkg": "node", "type": "nvm", "version": "latest"}, "must be a number"),
        ({"pkg": "hugo", "type": "hugo", "version": "0.120"}, "the machine's own is used"),
        ({"pkg": "x; rm -rf /", "type": "npm", "version": "1"}, "is not installed"),
        ({"pkg": "x", "type": "npm", "version": "$(id)"}, "is no version"),
        ("text", "is not installed"),
    ],
)
def test_what_cannot_be_honoured_is_named(entry: object, told: str) -> None:
    found = given(entry)
    assert (found.node, found.commands) == (None, ())
    assert told in found.warnings[0]


@pytest.mark.parametrize("text", ["{", "3", '"x"'])
def test_not_a_list(text: str) -> None:
    assert "is ignored" in live_updates({"_LIVE_UPDATES": text}).warnings[0]
