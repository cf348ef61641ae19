"""One build from a request to a folder of artifacts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from preamp.build import artifacts, cache, compute
from preamp.build.environment import Places, build_environment, build_timeout_s, user_variables
from preamp.build.errors import BuildError, BuildFailed, BuildTimeout, SourceError, SpecError, ToolchainError
from preamp.build.files import read_inside
from preamp.build.git import Remote, remote
from preamp.build.helpers import put_helpers
from preamp.build.logs import BuildLog
from preamp.build.lookup import Found, find_spec
from preamp.build.phases import PhaseRunner
from preamp.build.request import BuildEvent, BuildRequest, BuildResult, EventKind, LogSink, OnEvent
from preamp.build.sandbox import Sandbox
from preamp.build.shell import Shell
from preamp.build.source import check_out
from preamp.build.spec import Application, ArtifactRule, normal_root
from preamp.build.toolchain import Node, Toolchains, wants_node, wishes
from preamp.build.workspace import Workspace
from preamp.model.jobs import Commit

MAX_HEADERS = 512 * 1024


def _ignore(event: BuildEvent) -> None:
    del event


async def run_build(
    request: BuildRequest,
    *,
    workspace: Workspace,
    sandbox: Sandbox,
    log: LogSink,
    on_event: OnEvent = _ignore,
) -> BuildResult:
    """Clone, prepare, run the phases, save the cache, collect the artifacts.

    workspace: from `open_workspace(request)`; the result's `output` lives in it. Must run on an event loop
    in the main thread. Cancelling the task kills every process of the build and returns when they are
    dead. Raises BuildError (SourceError, SpecError, BuildFailed, BuildTimeout, ...): its text is the
    step's status reason, masked, and stands at the end of the log too.
    """
    target: Remote | None = None
    problem: SourceError | None = None
    try:
        target = remote(request.repository, request.credentials, workspace.private)
    except SourceError as error:
        problem = error
    secrets = [*request.secrets.values(), *(target.secrets if target else ())]
    build_log = BuildLog(log, secrets=[*secrets, *_given(request)])
    timeout_s, warning = build_timeout_s(request)
    build = _Build(request=request, workspace=workspace, sandbox=sandbox, log=build_log, on_event=on_event)
    limit = asyncio.timeout(timeout_s)
    try:
        build.head(warning)
        if target is None:
            raise problem or SourceError("no repository")
        async with limit:
            result = await build.run(target)
    except TimeoutError:
        if not limit.expired():
            raise
        minutes = f"{timeout_s / 60:g} minutes"
        text = f"The build was stopped after {minutes}, its time limit (variable _BUILD_TIMEOUT)"
        if build.command:
            text += f", while running `{build.command}`"
        build_log.error(f"!!! Build timed out\n!!! {text}")
        raise BuildTimeout(text) from None
    except BuildFailed as error:
        if error.command is None:
            build_log.error(f"!!! Build failed\n!!! CustomerError: {error}")
        raise
    except BuildError as error:
        build_log.error(f"!!! Build failed\n!!! CustomerError: {error}")
        raise
    except asyncio.CancelledError:
        build_log.warning("The build was cancelled; all its processes are dead")
        raise
    finally:
        build_log.info("Terminating logging...")
        build_log.flush()
    return result


def _given(request: BuildRequest) -> list[str]:
    given = request.credentials
    return [text for text in (given.token, given.ssh_key) if text]


@dataclass(kw_only=True, slots=True)
class _Build:
    """The steps of one build and what they share."""

    request: BuildRequest
    workspace: Workspace
    sandbox: Sandbox
    log: BuildLog
    on_event: OnEvent
    command: str = ""
    """What runs now, for the message of a timeout."""
    nodes: list[Node] = field(default_factory=list)

    def head(self, warning: str | None) -> None:
        self.log.info(compute.describe(self.request.compute_type))
        _, note = compute.limits_of(self.request.compute_type)
        if note:
            self.log.info(note)
        report = self.sandbox.report
        line = f"# Isolation: {report.summary} (tier {report.tier}); limits: {report.limits}"
        if report.weak:
            self.log.warning(line)
        else:
            self.log.info(line)
        if warning:
            self.log.warning(warning)

    async def run(self, target: Remote) -> BuildResult:
        request, workspace, log = self.request, self.workspace, self.log
        owner = self.sandbox.owner(request.slot)
        put_helpers(workspace.home)
        commit = await check_out(request, target, workspace, log, owner)
        self.on_event(BuildEvent(kind=EventKind.SOURCE, text=commit.commit_id, commit=commit))
        found = self._spec()
        application = found.application
        cwd, base = self._folders(application)
        node = await self._node(application, base)
        environment = self._environment(commit, application, node, target.url)
        kept = cache.cache_of(
            request.folders.caches,
            app_id=request.job.app_id,
            branch=request.job.branch,
            paths=application.frontend.cache_paths,
            root=base,
            inside=str(self.sandbox.inside(Path("/"))),
        )
        if kept.paths:
            await cache.restore(kept, sandbox=self.sandbox, workspace=workspace, slot=request.slot, log=log)
        if application.backend.commands or application.frontend.commands:
            await self._phases(application, environment, cwd)
        else:
            log.info("# The build spec has no commands")
        if kept.paths:
            await cache.save(kept, sandbox=self.sandbox, workspace=workspace, slot=request.slot, log=log)
        headers = self._headers(application)
        collected = await self._collect(application, base)
        context = [f"Sandbox: {self.sandbox.report.tier}", f"Build spec: {found.origin}"]
        if node:
            context.append(f"Node: {node.version}")
        return BuildResult(
            commit=commit,
            output=collected.output,
            file_count=collected.file_count,
            total_bytes=collected.total_bytes,
            custom_headers=headers,
            context="; ".join(context),
            warnings=tuple(log.warnings),
        )

    def _spec(self) -> Found:
        request = self.request
        found = find_spec(
            self.workspace.source,
            branch_spec=request.branch_spec,
            app_spec=request.app_spec,
            app_root=user_variables(request).get("AMPLIFY_MONOREPO_APP_ROOT"),
        )
        self.log.info(f"# Build spec: {found.origin}")
        if found.application.app_root is not None:
            self.log.info(
                f"# Application: appRoot {found.application.app_root or '/'!r}, because {found.why}"
            )
        if found.generated:
            self.log.info(found.generated)
        for warning in found.warnings:
            self.log.warning(warning)
        return found

    def _folders(self, application: Application) -> tuple[str, str]:
        """Where commands run, as seen from inside; and the same relative to the repository."""
        written = application.frontend.build_path or application.build_path
        label = "buildPath" if written is not None else "appRoot"
        try:
            base = normal_root(written) if written is not None else application.app_root or ""
        except ValueError as error:
            raise SpecError(f"buildPath {error}") from None
        folder = self.workspace.source / base
        if not folder.is_dir() or not folder.resolve().is_relative_to(self.workspace.source.resolve()):
            raise SpecError(f"{label} names {base!r}, which is no folder of the repository")
        inside = self.sandbox.inside(self.workspace.files) / "src"
        return str(inside / base) if base else str(inside), base

    async def _node(self, application: Application, base: str) -> Node | None:
        """The Node the build starts with; also makes every version that a command asks for available."""
        source = self.workspace.source
        sections = (application.backend, application.frontend)
        commands = [
            command.text for section in sections for command in section.commands if not command.is_comment
        ]
        if not commands or not wants_node(source, base, commands):
            return None
        owner = self.sandbox.owner(self.request.slot)
        toolchains = Toolchains(self.request.folders.toolchains, owner)
        system = await toolchains.system()
        if system:
            self.nodes.append(system)
        first: Node | None = None
        for wish in wishes(source, base, commands):
            try:
                node = await toolchains.provide(wish.version)
            except ToolchainError as error:
                major = wish.version.removeprefix(">=").split(".")[0]
                if major == wish.version:
                    self.log.warning(f"! {error} (asked for by {wish.origin})")
                    continue
                node = await toolchains.provide(major)
                self.log.warning(
                    f"! Node {wish.version} ({wish.origin}) cannot be had; {node.version} stands in"
                )
            self.log.info(f"# Node {node.version} is available ({wish.origin})")
            self.nodes.append(node)
            first = first or node
        chosen = first or system or await toolchains.provide("")
        if chosen not in self.nodes:
            self.nodes.append(chosen)
            self.log.info(f"# Node {chosen.version} is available (none was on the machine)")
        return chosen

    def _environment(
        self, commit: Commit, application: Application, node: Node | None, clone_url: str
    ) -> Mapping[str, str]:
        places = Places(
            workspace=PurePosixPath(self.sandbox.inside(self.workspace.files)),
            node=PurePosixPath(node.root / "bin") if node and not node.system else None,
            nodes=self._shared(),
        )
        environment = build_environment(
            self.request,
            commit=commit,
            places=places,
            spec_variables=application.variables,
            clone_url=clone_url,
        )
        system = next((node for node in self.nodes if node.system), None)
        return environment | ({"PREAMP_SYSTEM_NODE": str(system.root / "bin")} if system else {})

    def _shared(self) -> PurePosixPath | None:
        fetched = [node for node in self.nodes if not node.system and node.root.name.startswith("v")]
        return PurePosixPath(fetched[0].root.parent) if fetched else None

    async def _phases(self, application: Application, environment: Mapping[str, str], cwd: str) -> None:
        limits, _ = compute.limits_of(self.request.compute_type)
        memory = f"{(limits.memory_bytes or 0) / compute.GIB:.1f} GiB, the memory of its compute type"
        async with Shell(self.sandbox, self.log) as shell:
            notes = await shell.start(
                environment=environment,
                workspace=self.workspace.files,
                cwd=cwd,
                slot=self.request.slot,
                limits=limits,
                read_only=tuple(dict.fromkeys(node.root for node in self.nodes if not node.system)),
            )
            for note in notes:
                self.log.warning(f"! {note}")
            runner = PhaseRunner(shell, self.log, self._event, memory_text=memory)
            await runner.run(application)
        self.command = ""

    def _event(self, event: BuildEvent) -> None:
        if event.kind is EventKind.COMMAND:
            self.command = event.text.splitlines()[0][:200] if event.text else ""
        self.on_event(event)

    def _headers(self, application: Application) -> str | None:
        text = read_inside(self.workspace.source, "customHttp.yml", MAX_HEADERS)
        if text is not None:
            self.log.info("# Custom headers found: customHttp.yml")
        elif application.custom_headers is not None:
            text = application.custom_headers
            self.log.info("# Custom headers found: in the build spec")
        else:
            self.log.info("# No custom headers found.")
        return text

    async def _collect(self, application: Application, base: str) -> artifacts.Collected:
        rule = application.frontend.artifacts or ArtifactRule(base_directory=None)
        warnings: list[str] = []
        try:
            collected = await asyncio.to_thread(
                artifacts.collect,
                rule,
                root=self.workspace.source / base,
                workspace=self.workspace.files,
                output=self.workspace.output,
                warn=warnings.append,
            )
        finally:
            for warning in warnings[:20]:
                self.log.warning(warning)
            if len(warnings) > 20:
                self.log.warning(f"... and {len(warnings) - 20} more artifacts are left out")
        text = f"{collected.file_count} files, {collected.total_bytes / 1_000_000:.2f} MB"
        self.log.info(f"# Build artifacts collected: {text}")
        self.on_event(BuildEvent(kind=EventKind.COLLECTED, text=text))
        return collected
