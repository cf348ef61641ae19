"""One build from a request to a folder of artifacts: what it is told, its time limit, and how it ends."""

from __future__ import annotations

import asyncio

from preamp.build.environment import build_timeout_s
from preamp.build.errors import BuildError, BuildFailed, BuildSkipped, BuildTimeout, SourceError
from preamp.build.git import KNOWN_HOSTS, Remote, remote
from preamp.build.logs import BuildLog
from preamp.build.request import (
    BuildEvent,
    BuildRequest,
    BuildResult,
    LogSink,
    OnEvent,
    OpenTestLog,
)
from preamp.build.sandbox import Sandbox
from preamp.build.stages import Build
from preamp.build.workspace import Workspace


def _ignore(event: BuildEvent) -> None:
    del event


async def run_build(
    request: BuildRequest,
    *,
    workspace: Workspace,
    sandbox: Sandbox,
    log: LogSink,
    on_event: OnEvent = _ignore,
    open_test_log: OpenTestLog | None = None,
) -> BuildResult:
    """Clone, prepare, run the phases, save the cache, collect the artifacts, run the tests.

    workspace: from `open_workspace(request)`; the result's files live in it. open_test_log: called once,
    when the build is done and there are tests; their log goes there instead of into `log`. Must run on an
    event loop in the main thread. Cancelling the task kills every process of the build and returns when
    they are dead.

    Raises BuildSkipped when there is nothing to do, else BuildError (SourceError, SpecError, BuildFailed,
    FailedTests, BuildTimeout, ...): its text is the step's status reason, masked, and stands at the end of
    the log too.
    """
    target: Remote | None = None
    problem: SourceError | None = None
    try:
        known_hosts = request.folders.mirrors.absolute() / KNOWN_HOSTS
        target = remote(request.repository, request.credentials, workspace.private, known_hosts)
    except SourceError as error:
        problem = error
    secrets = [*request.secrets.values(), *(target.secrets if target else ()), *_given(request)]
    build_log = BuildLog(log, secrets=secrets)
    timeout_s, warning = build_timeout_s(request)
    build = Build(
        request=request,
        workspace=workspace,
        sandbox=sandbox,
        log=build_log,
        on_event=on_event,
        secrets=tuple(secrets),
        open_test_log=open_test_log,
    )
    limit = asyncio.timeout(timeout_s)
    try:
        build.head(warning)
        if target is None:
            raise problem or SourceError("no repository")
        async with limit:
            return await build.run(target)
    except TimeoutError:
        if not limit.expired():
            raise
        minutes = f"{timeout_s / 60:g} minutes"
        text = f"The build was stopped after {minutes}, its time limit (variable _BUILD_TIMEOUT)"
        if build.command:
            text += f", while running `{build.command}`"
        build.log.error(f"!!! Build timed out\n!!! {text}")
        raise BuildTimeout(text) from None
    except BuildError as error:
        error.conceal(build_log.masker.text)
        error.logged = True
        if not isinstance(error, BuildFailed) or error.command is None:
            build.log.error(f"!!! Build failed\n!!! CustomerError: {error}")
        raise
    except BuildSkipped as skipped:
        build.log.info(f"# {skipped}")
        raise
    except asyncio.CancelledError:
        build.log.warning("The build was cancelled; all its processes are dead")
        raise
    finally:
        build.log.info("Terminating logging...")
        build.log.flush()


def _given(request: BuildRequest) -> list[str]:
    given = request.credentials
    return [text for text in (given.token, given.ssh_key) if text]
