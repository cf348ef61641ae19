"""The stages of one build, in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from preamp.build import artifacts, cache, compute, env_cache, images
from preamp.build.checks import keep_what_tests_left
from preamp.build.environment import Places, build_environment, user_variables
from preamp.build.errors import BuildFailed, FailedTests, SpecError
from preamp.build.files import read_inside
from preamp.build.git import Remote
from preamp.build.helpers import put_helpers
from preamp.build.keep import kept_paths
from preamp.build.live_updates import LiveUpdates, live_updates
from preamp.build.logs import BuildLog
from preamp.build.lookup import Found, find_spec
from preamp.build.nodes import Nodes, provide_nodes
from preamp.build.output import NEEDS_OF_SERVERS, collect_output
from preamp.build.phases import PhaseRunner
from preamp.build.request import (
    BuildEvent,
    BuildRequest,
    BuildResult,
    Checked,
    EventKind,
    OnEvent,
    OpenTestLog,
)
from preamp.build.sandbox import Sandbox
from preamp.build.shell import Shell
from preamp.build.source import check_out
from preamp.build.spec import Application, ArtifactRule, Section, normal_root
from preamp.build.threads import in_thread
from preamp.build.toolchain import Toolchains
from preamp.build.workspace import Workspace
from preamp.model.apps import Platform
from preamp.model.jobs import Commit

MAX_HEADERS = 512 * 1024
MAX_WARNINGS = 20


@dataclass(kw_only=True, slots=True)
class Build:
    """What the stages share; see `run_build`."""

    request: BuildRequest
    workspace: Workspace
    sandbox: Sandbox
    log: BuildLog
    """The build's, then the tests'."""
    on_event: OnEvent
    secrets: tuple[str, ...]
    open_test_log: OpenTestLog | None
    image: Path | None = None
    """The root file system of a custom image."""
    command: str = ""
    """What runs now, for the message of a timeout."""

    def head(self, warning: str | None) -> None:
        """What the log begins with; warning: of the request."""
        self.log.info(compute.describe(self.request.compute_type))
        _, note = compute.limits_of(self.request)
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
        """All stages. Raises BuildSkipped and BuildError."""
        request, workspace, log = self.request, self.workspace, self.log
        owner = self.sandbox.owner(request.slot)
        put_helpers(workspace.home)
        commit = await check_out(request, target, workspace, log, owner, self._resolved)
        values = env_cache.env_cache_file(request.folders.caches, request.job.app_id, request.job.branch)
        env_cache.restore(values, workspace, owner, log)
        found = self._spec()
        application = found.application
        cwd, base = self._folders(application)
        updates = self._live_updates()
        tests = self._tests(application)
        self.image = await self._image()
        nodes = await self._nodes(application, tests, base, updates)
        kept = self._cache(application, base)
        environment = self._environment(
            commit, application, nodes, target.url, keeps_modules=kept.has_modules
        )
        if kept.paths:
            await cache.restore(kept, sandbox=self.sandbox, workspace=workspace, slot=request.slot, log=log)
        if application.backend.commands or application.frontend.commands or updates.commands:
            async with self._shell(environment, cwd, nodes) as runner:
                if updates.commands:
                    await runner.prepare(updates.commands)
                await runner.run(application)
        else:
            log.info("# The build spec has no commands")
        if kept.paths:
            await cache.save(kept, sandbox=self.sandbox, workspace=workspace, slot=request.slot, log=log)
        headers = self._headers(application)
        collected = await self._collect(application, base, nodes, copy=tests is not None)
        env_cache.save(values, workspace, log)
        context = [f"Sandbox: {self.sandbox.report.tier}", f"Build spec: {found.origin}"]
        if self.image is not None:
            context.append(f"Build image: {user_variables(self.request)[images.VARIABLE].strip()}")
        if nodes.first:
            context.append(f"Node: {nodes.first.version}")
        warnings = tuple(log.warnings)
        if tests is not None and self.open_test_log is not None:
            log.info("Terminating logging...")
            log.flush()
            self.log = BuildLog(await self.open_test_log("; ".join(context)), secrets=self.secrets)
        checked = await self._run_tests(tests, environment, cwd, base, nodes) if tests else None
        return BuildResult(
            commit=commit,
            output=collected.output,
            file_count=collected.file_count,
            total_bytes=collected.total_bytes,
            custom_headers=headers,
            spec_headers=application.custom_headers,
            app_root=application.app_root,
            context="; ".join(context),
            warnings=warnings,
            tested=tests is not None,
            checked=checked,
            cache=kept.archive if kept.paths else None,
        )

    def _resolved(self, commit: Commit) -> None:
        self.on_event(BuildEvent(kind=EventKind.SOURCE, text=commit.commit_id, commit=commit))

    async def _image(self) -> Path | None:
        wanted = user_variables(self.request).get(images.VARIABLE, "")
        return await images.provide_image(
            self.request.folders.images,
            wanted,
            owner=self.sandbox.owner(self.request.slot),
            log=self.log,
        )

    def _live_updates(self) -> LiveUpdates:
        updates = live_updates(user_variables(self.request))
        for warning in updates.warnings:
            self.log.warning(f"! {warning}")
        if not updates.node and not updates.commands:
            self.log.info("# No package override configuration found.")
        return updates

    def _tests(self, application: Application) -> Section | None:
        """The test section when it is to be run."""
        if application.test is None or not application.test.commands:
            return None
        if user_variables(self.request).get("USER_DISABLE_TESTS", "").strip().lower() == "true":
            self.log.info("# The tests are skipped: USER_DISABLE_TESTS is true")
            return None
        return application.test

    def _spec(self) -> Found:
        request = self.request
        found = find_spec(
            self.workspace.source,
            branch_spec=request.branch_spec,
            app_spec=request.app_spec,
            app_root=user_variables(request).get("AMPLIFY_MONOREPO_APP_ROOT"),
            platform=request.platform,
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

    async def _nodes(
        self, application: Application, tests: Section | None, base: str, updates: LiveUpdates
    ) -> Nodes:
        sections = [application.backend, application.frontend, *([tests] if tests else [])]
        commands = [c.text for section in sections for c in section.commands if not c.is_comment]
        owner = self.sandbox.owner(self.request.slot)
        return await provide_nodes(
            Toolchains(self.request.folders.toolchains, owner),
            source=self.workspace.source,
            base=base,
            commands=[*commands, *updates.commands],
            override=updates.node,
            own_image=self.image is not None,
            log=self.log,
        )

    def _cache(self, application: Application, base: str) -> cache.Cache:
        request, frontend = self.request, application.frontend
        commands = [c.text for section in (application.backend, frontend) for c in section.commands]
        extra = kept_paths(frontend.cache_paths, commands=commands, folder=self.workspace.source / base)
        return cache.cache_of(
            request.folders.caches,
            app_id=request.job.app_id,
            branch=request.job.branch,
            fallback_branch=request.fallback_branch,
            paths=(*frontend.cache_paths, *extra),
            root=base,
            inside=str(self.sandbox.inside(Path("/"))),
        )

    def _environment(
        self,
        commit: Commit,
        application: Application,
        nodes: Nodes,
        clone_url: str,
        *,
        keeps_modules: bool,
    ) -> Mapping[str, str]:
        places = Places(
            workspace=PurePosixPath(self.sandbox.inside(self.workspace.files)),
            node=nodes.bin,
            nodes=nodes.parent,
            path=images.PATH if self.image is not None else None,
        )
        environment = build_environment(
            self.request,
            commit=commit,
            places=places,
            spec_variables=application.variables,
            clone_url=clone_url,
        )
        ours = dict(NEEDS_OF_SERVERS) if self.request.platform is Platform.WEB_COMPUTE else {}
        if keeps_modules:
            ours["PREAMP_NPM_CI"] = "keep"
        return {**ours, **environment, **nodes.variables}

    @asynccontextmanager
    async def _shell(
        self, environment: Mapping[str, str], cwd: str, nodes: Nodes
    ) -> AsyncIterator[PhaseRunner]:
        """A sandbox with one Bash; every process in it is dead afterwards."""
        limits, _ = compute.limits_of(self.request)
        async with Shell(self.sandbox, self.log) as shell:
            notes = await shell.start(
                environment=environment,
                workspace=self.workspace.files,
                cwd=cwd,
                slot=self.request.slot,
                limits=limits,
                read_only=nodes.folders,
                root=self.image,
            )
            for note in notes:
                self.log.warning(f"! {note}")
            yield PhaseRunner(shell, self.log, self._event, limits=limits)
        self.command = ""

    async def _run_tests(
        self, tests: Section, environment: Mapping[str, str], cwd: str, base: str, nodes: Nodes
    ) -> Checked | None:
        failure: BuildFailed | None = None
        try:
            async with self._shell(environment, cwd, nodes) as runner:
                await runner.run_tests(tests)
        except BuildFailed as error:
            failure = error
        checked = await keep_what_tests_left(
            tests.artifacts, base=base, workspace=self.workspace, log=self.log
        )
        if failure is not None:
            raise FailedTests(failure, checked)
        return checked

    def _event(self, event: BuildEvent) -> None:
        if event.kind is EventKind.COMMAND:
            self.command = event.text.splitlines()[0][:200] if event.text else ""
        self.on_event(event)

    def _headers(self, application: Application) -> str | None:
        """customHttp.yml. The spec's own headers, the oldest form, count only when the app has none."""
        text = read_inside(self.workspace.source, "customHttp.yml", MAX_HEADERS)
        if text is not None:
            self.log.info("# Custom headers found: customHttp.yml")
        elif application.custom_headers is not None:
            self.log.info("# Custom headers found: in the build spec; those of the app go before them")
        else:
            self.log.info("# No custom headers found.")
        return text

    async def _collect(
        self, application: Application, base: str, nodes: Nodes, *, copy: bool
    ) -> artifacts.Collected:
        rule = application.frontend.artifacts or ArtifactRule(base_directory=None)
        warnings: list[str] = []
        notes: list[str] = []
        try:
            collected = await in_thread(
                collect_output,
                rule,
                base=base,
                workspace=self.workspace,
                platform=self.request.platform,
                runtime=nodes.runtime,
                say=notes.append,
                warn=warnings.append,
                copy=copy,
            )
        finally:
            for note in notes:
                self.log.info(note)
            for warning in warnings[:MAX_WARNINGS]:
                self.log.warning(warning)
            if len(warnings) > MAX_WARNINGS:
                self.log.warning(f"... and {len(warnings) - MAX_WARNINGS} more artifacts are left out")
        text = f"{collected.file_count} files, {collected.total_bytes / 1_000_000:.2f} MB"
        self.log.info(f"# Build artifacts collected: {text}")
        self.on_event(BuildEvent(kind=EventKind.COLLECTED, text=text))
        return collected
