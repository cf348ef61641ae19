"""What of a build's files is published: what the spec says, or the bundle that a Next.js build becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from preamp.build import artifacts
from preamp.build.next.bundle import bundle
from preamp.build.next.output import next_build
from preamp.build.spec import ArtifactRule
from preamp.build.workspace import Workspace
from preamp.model.apps import Platform
from preamp.model.deploy_manifest import COMPUTE_FOLDER, FILE_NAME

NEEDS_OF_SERVERS = {"NEXT_PRIVATE_STANDALONE": "true"}
"""Variables of builds whose output has a server. Next.js then gathers what the server needs, where
next.config.js does not set `output`: less than a third of all production dependencies."""


def collect_output(
    rule: ArtifactRule,
    *,
    base: str,
    workspace: Workspace,
    platform: Platform,
    runtime: str,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    copy: bool,
) -> artifacts.Collected:
    """Into `workspace.output`. Blocking; no process of the build may be left.

    base: what `baseDirectory` is relative to, below the repository. runtime: of Node, as a manifest names
    it. Raises BuildFailed when there is nothing to publish, SpecError for files that lead out.
    """
    root, output = workspace.source / base, workspace.output
    links: str | None = None
    if platform is Platform.WEB_COMPUTE:
        folder = artifacts.find_base(rule, root=root, workspace=workspace.files)
        if (folder / FILE_NAME).is_file():
            links = COMPUTE_FOLDER
        elif build := next_build(folder, workspace.source.resolve()):
            if build.exported is None:
                bundled = bundle(build, output=output, runtime=runtime, copy=copy, warn=warn)
                say(f"# {bundled.summary}")
                return bundled.collected
            exported = build.exported.relative_to(workspace.source.resolve())
            say(f"# Next.js {build.version} found: exported as files, which are in {exported}")
            rule, root = replace(rule, base_directory=str(exported)), workspace.source
    return artifacts.collect(
        rule, root=root, workspace=workspace.files, output=output, warn=warn, copy=copy, keep_links=links
    )
