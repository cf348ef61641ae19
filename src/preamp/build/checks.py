"""The test phases: after the build, on its files, in a shell of their own."""

from __future__ import annotations

from dataclasses import replace

from preamp.build import artifacts
from preamp.build.errors import BuildFailed
from preamp.build.globs import Selection
from preamp.build.logs import BuildLog
from preamp.build.request import Checked
from preamp.build.spec import ArtifactRule
from preamp.build.threads import in_thread
from preamp.build.workspace import Workspace

MAX_WARNINGS = 20


async def keep_what_tests_left(
    rule: ArtifactRule | None, *, base: str, workspace: Workspace, log: BuildLog
) -> Checked | None:
    """Gather `test.artifacts`, screenshots and videos, also of tests that failed.

    Files that are not there are a warning: whether the job fails is for the tests to say.
    """
    if rule is None:
        return None
    report = rule.config_file_path
    patterns = (*rule.files, report) if report else rule.files
    warnings: list[str] = []
    try:
        collected = await in_thread(
            artifacts.collect,
            replace(rule, files=patterns, base_directory=rule.base_directory or "/"),
            root=workspace.source / base,
            workspace=workspace.files,
            output=workspace.test_output,
            warn=warnings.append,
        )
    except BuildFailed as error:
        log.warning(f"! No test artifacts: {error}")
        return None
    finally:
        for warning in warnings[:MAX_WARNINGS]:
            log.warning(warning)
    selection = Selection([report]) if report else ()
    config = next((name for name in collected.files if name in selection), None)
    if report and config is None:
        log.warning(f"! configFilePath: nothing matches {report}")
    log.info(f"# Test artifacts collected: {collected.file_count} files")
    return Checked(folder=collected.output, files=collected.files, config_file=config)
