from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath

from preamp.compute.environment import server_environment
from preamp.compute.facts import Facts
from preamp.model.compute import Compute
from preamp.model.releases import Body

FACTS = Facts(
    release_id="r",
    app_id="d123",
    branch_id=1,
    branch="feature/x",
    job=12,
    compute=Compute(
        archive=Body(blob="b", size=1),
        name="default",
        entrypoint="index.js",
        runtime="nodejs22.x",
        total_bytes=1,
        file_count=1,
    ),
    variables={"API": "https://api", "AWS_SECRET": "no", "PORT": "9", "NODE_OPTIONS": "--trace-gc", "": "x"},
    secrets={"TOKEN": "t0ken", "HIDDEN": "h1dden"},
    secret_variables=("TOKEN",),
)
GIB = 1024**3


def environment(facts: Facts) -> dict[str, str]:
    return server_environment(facts, memory_bytes=GIB, tmp="/tmp", node_bin=PurePosixPath("/opt/node/bin"))


def test_without_the_branch_s_permission_nothing_of_the_user_is_there() -> None:
    seen = environment(FACTS)
    assert not {"API", "TOKEN", "HIDDEN", "secrets", "AWS_SECRET"} & seen.keys()
    assert seen["AWS_BRANCH"] == "feature/x"
    assert seen["AWS_JOB_ID"] == "0000000012"
    assert seen["PATH"].startswith("/opt/node/bin:")
    assert seen["NODE_OPTIONS"] == "--max-old-space-size=768"


def test_with_it() -> None:
    seen = environment(replace(FACTS, runtime_variables=True))
    assert seen["API"] == "https://api"
    assert seen["TOKEN"] == "t0ken"
    assert "HIDDEN" not in seen
    assert json.loads(seen["secrets"]) == {"TOKEN": "t0ken", "HIDDEN": "h1dden"}
    assert "AWS_SECRET" not in seen
    assert "" not in seen
    assert seen["PORT"] == "3000"
    assert seen["NODE_OPTIONS"] == "--max-old-space-size=768 --trace-gc"


def test_secrets_do_not_show_in_messages() -> None:
    assert "t0ken" not in repr(FACTS)
