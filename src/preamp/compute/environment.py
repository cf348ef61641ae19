"""The variables that a server sees (behaviour reference, section 5.4). Nothing of Preamp's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from preamp.compute.facts import Facts
from preamp.model.ids import padded

PORT = 3000
HEAP_SHARE = 0.75
"""Of the memory limit, for JavaScript's own objects: buffers and code need the rest."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME = re.compile(r"[^=\0]+")


def server_environment(
    facts: Facts, *, memory_bytes: int, tmp: str, node_bin: PurePosixPath
) -> dict[str, str]:
    """tmp: the only folder that can be written."""
    heap = f"--max-old-space-size={int(memory_bytes * HEAP_SHARE) // (1024 * 1024)}"
    own = runtime_variables(facts)
    base = {
        "HOST": "0.0.0.0",  # noqa: S104 - in a namespace of its own; what listens gets a unix socket anyway
        "HOSTNAME": "0.0.0.0",  # noqa: S104
        "LANG": "C.UTF-8",
        "NODE_ENV": "production",
        "PATH": f"{node_bin}:{SYSTEM_PATH}",
        "TMPDIR": tmp,
    }
    reserved = {
        "AWS_APP_ID": facts.app_id,
        "AWS_BRANCH": facts.branch,
        "AWS_JOB_ID": padded(facts.job),
        "AWS_AMPLIFY_DEPLOYMENT_ID": padded(facts.job),
        "HOME": tmp,
        "PORT": str(PORT),
        "PREAMP": "true",
        # the last one wins: whoever knows better may say so
        "NODE_OPTIONS": f"{heap} {own.get('NODE_OPTIONS', '')}".strip(),
    }
    return {**base, **own, **reserved}


def runtime_variables(facts: Facts) -> Mapping[str, str]:
    """What the branch lets its server see: variables and secrets, as builds have them."""
    if not facts.runtime_variables:
        return {}
    user = {name: value for name, value in facts.variables.items() if not name.startswith("AWS")}
    secret = {name: facts.secrets[name] for name in facts.secret_variables if name in facts.secrets}
    packed = {"secrets": json.dumps(dict(facts.secrets))} if facts.secrets else {}
    merged = {**user, **secret, **packed}
    return {name: value for name, value in merged.items() if _NAME.fullmatch(name) and "\0" not in value}
