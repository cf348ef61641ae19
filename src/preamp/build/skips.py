"""Builds that need not be: decided before anything is copied into a workspace."""

from __future__ import annotations

from preamp.build.environment import user_variables
from preamp.build.errors import SourceError
from preamp.build.mirror import Mirror
from preamp.build.request import BuildRequest
from preamp.build.spec import normal_root
from preamp.model.jobs import Commit, has_skip_mark

DEFAULT_ROOT = "src"


async def reason_to_skip(request: BuildRequest, mirror: Mirror, commit: Commit) -> str | None:
    """`[skip-cd]`, and AMPLIFY_DIFF_DEPLOY (behaviour reference, sections 5.4 and 6)."""
    if request.obey_skip_mark and has_skip_mark(commit.message):
        return "Skipped: the commit message ends with [skip-cd]"
    if not request.built_commit or not compares(request):
        return None
    root, origin = _root(user_variables(request))
    if origin is None and not await mirror.has(commit.commit_id, root):
        root = ""
    if await mirror.differs(request.built_commit, commit.commit_id, root):
        return None
    return (
        f"Skipped: AMPLIFY_DIFF_DEPLOY is true, and nothing in {root or 'the repository'!r} has changed "
        f"since commit {request.built_commit}, which is served"
    )


def compares(request: BuildRequest) -> bool:
    """Whether a build is wanted only when something changed."""
    return user_variables(request).get("AMPLIFY_DIFF_DEPLOY", "").strip().lower() == "true"


def _root(variables: dict[str, str]) -> tuple[str, str | None]:
    """The folder that is compared, and which variable says so."""
    for name in ("AMPLIFY_DIFF_DEPLOY_ROOT", "AMPLIFY_MONOREPO_APP_ROOT"):
        if variables.get(name, "").strip():
            try:
                return normal_root(variables[name]), name
            except ValueError as error:
                raise SourceError(f"{name} {error}") from None
    return DEFAULT_ROOT, None
