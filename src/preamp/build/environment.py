"""The variables a build sees: spec < app < branch < secrets < reserved. Nothing of Preamp's own environment.

Table of the reserved ones: behaviour reference, section 5.4.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from preamp.build.request import BuildRequest
from preamp.model.jobs import Commit

_NAME = re.compile(r"[^=\0]+")
_SECRET_NAME = re.compile(r"auth|token|passw|secret|credential|_key$", re.IGNORECASE)
GLOBAL_NPMRC = ("/usr/etc/npmrc", "/usr/local/etc/npmrc", "/etc/npmrc")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MIN_TIMEOUT_MIN, MAX_TIMEOUT_MIN = 5, 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Folders as the build sees them."""

    workspace: PurePosixPath
    node: PurePosixPath | None
    """The `bin` folder of the Node version to use; `None`: the machine's own, or none."""
    nodes: PurePosixPath | None = None
    """The folder of all fetched Node versions, for `nvm`."""
    path: tuple[str, ...] | None = None
    """Where a custom image keeps its programs; `None`: the machine's own folders."""

    @property
    def home(self) -> PurePosixPath:
        return self.workspace / "home"

    @property
    def source(self) -> PurePosixPath:
        return self.workspace / "src"


def user_variables(request: BuildRequest) -> dict[str, str]:
    """App and branch variables, the branch winning; names no program can have are dropped."""
    merged = {**request.app_variables, **request.branch_variables}
    return {
        name: value for name, value in merged.items() if name and _NAME.fullmatch(name) and "\0" not in value
    }


def build_timeout_s(request: BuildRequest) -> tuple[float, str | None]:
    """The time limit, and a warning when `_BUILD_TIMEOUT` cannot be used. Amplify: 5 to 120 minutes."""
    text = user_variables(request).get("_BUILD_TIMEOUT")
    if text is None:
        return request.timeout_s, None
    if not re.fullmatch(r"\s*\d{1,6}\s*", text):
        return request.timeout_s, f"_BUILD_TIMEOUT is ignored: {text!r} is not a number of minutes"
    minutes = int(text)
    bounded = min(max(minutes, MIN_TIMEOUT_MIN), MAX_TIMEOUT_MIN)
    warning = (
        f"_BUILD_TIMEOUT {minutes} is taken as {bounded}: it must be from 5 to 120"
        if bounded != minutes
        else None
    )
    return bounded * 60.0, warning


def passed_on(patterns: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The machine's variables that match, without any that looks like a secret."""
    return {
        name: value
        for name, value in environment.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        and not _SECRET_NAME.search(name)
        and not _has_login(value)
    }


def _has_login(value: str) -> bool:
    return any("@" in urlsplit(word).netloc for word in value.split() if "://" in word)


def build_environment(
    request: BuildRequest,
    *,
    commit: Commit,
    places: Places,
    spec_variables: Mapping[str, str],
    clone_url: str,
) -> dict[str, str]:
    """Everything, ready for the shell."""
    home = str(places.home)
    base = {
        "HOME": home,
        "USER": "build",
        "LOGNAME": "build",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TMPDIR": str(places.workspace / "tmp"),
        "PATH": _path(places),
        "NVM_DIR": f"{home}/.nvm",
        "NPM_CONFIG_PREFIX": f"{home}/.npm-global",
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
        "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "DEBIAN_FRONTEND": "noninteractive",
        "GIT_TERMINAL_PROMPT": "0",
    }
    if configured := next((path for path in GLOBAL_NPMRC if Path(path).is_file()), None):
        base["NPM_CONFIG_GLOBALCONFIG"] = configured
    if places.nodes:
        base["PREAMP_NODES"] = str(places.nodes)
    reserved = {
        "CI": "true",
        "AWS_APP_ID": request.job.app_id,
        "AWS_BRANCH": request.job.branch,
        "AWS_BRANCH_ARN": request.job.branch_arn,
        "AWS_CLONE_URL": clone_url,
        "AWS_COMMIT_ID": request.commit_id or "HEAD",
        "AWS_JOB_ID": request.job.job_id,
        # What the edge takes as `dpl` (behaviour reference, section 7.7): unique in the branch.
        "AWS_AMPLIFY_DEPLOYMENT_ID": request.job.job_id,
        "CODEBUILD_SRC_DIR": str(places.source),
        "CODEBUILD_RESOLVED_SOURCE_VERSION": commit.commit_id,
        "PREAMP": "true",
    }
    if request.secrets:
        reserved["secrets"] = json.dumps(dict(request.secrets))
    secret = {name: request.secrets[name] for name in request.secret_variables & request.secrets.keys()}
    machine = passed_on(request.pass_environment, os.environ)
    user = {name: value for name, value in user_variables(request).items() if not name.startswith("AWS")}
    return {**base, **machine, **spec_variables, **user, **secret, **reserved}


def _path(places: Places) -> str:
    home = places.home
    own = [str(home / ".preamp/bin"), str(home / ".npm-global/bin"), str(home / ".local/bin")]
    node = [str(places.node)] if places.node else []
    if places.path is not None:
        return ":".join([*own, *node, *places.path])
    system = SYSTEM_PATH.split(":")
    # tools the machine keeps in other places that a build may read
    more = [
        folder
        for folder in os.environ.get("PATH", "").split(":")
        if folder.startswith(("/opt/", "/usr/", "/nix/store/")) and folder not in system
    ]
    return ":".join([*own, *node, *more, *system])
