"""A parsed build spec (amplify.yml). Grammar: behaviour reference, section 5.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from preamp.build.errors import SpecError

PHASES = ("preBuild", "build", "postBuild")
TEST_PHASES = ("preTest", "test", "postTest")


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One entry of `commands`: a line or several of Bash."""

    text: str
    line: int

    @property
    def is_comment(self) -> bool:
        return all(not line.strip() or line.lstrip().startswith("#") for line in self.text.splitlines())


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    name: str
    commands: tuple[Command, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactRule:
    """What of the build's output is published."""

    base_directory: str | None
    """As written; `/dist` and `dist` are the same; `None`: not given."""
    files: tuple[str, ...] = ("**/*",)
    discard_paths: bool = False
    """Only the base names are kept."""
    config_file_path: str | None = None
    """Tests only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """`backend`, `frontend` or `test`."""

    phases: tuple[Phase, ...] = ()
    """In order; phases without commands are left out."""
    artifacts: ArtifactRule | None = None
    cache_paths: tuple[str, ...] = ()
    build_path: str | None = None

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(command for phase in self.phases for command in phase.commands)


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """What is built: the whole spec, or one entry of a monorepo's `applications`."""

    app_root: str | None = None
    """Relative to the repository, without leading or trailing slash or `./`; empty: the root."""
    variables: Mapping[str, str] = field(default_factory=dict)
    backend: Section = field(default_factory=Section)
    frontend: Section = field(default_factory=Section)
    test: Section | None = None
    build_path: str | None = None
    custom_headers: str | None = None
    """The legacy `customHeaders` of a spec, as JSON of the same shape as customHttp.yml."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSpec:
    """`applications` has one entry unless `monorepo`."""

    applications: tuple[Application, ...]
    monorepo: bool
    warnings: tuple[str, ...] = ()

    def select(self, app_root: str | None) -> tuple[Application, str]:
        """The application to build and a sentence why. `app_root`: AMPLIFY_MONOREPO_APP_ROOT."""
        if not self.monorepo:
            if app_root and app_root.strip() not in {"/", ".", "./"}:
                raise SpecError('Monorepo spec provided without "applications" key')
            return self.applications[0], "the spec is for the whole repository"
        known = ", ".join(repr(item.app_root) for item in self.applications)
        if app_root is None:
            if len(self.applications) == 1:
                return self.applications[0], "it is the spec's only application"
            raise SpecError(
                "multiple appRoots and no target appRoot set: set the variable AMPLIFY_MONOREPO_APP_ROOT "
                f"to one of {known}"
            )
        wanted = normal_root(app_root)
        for application in self.applications:
            if application.app_root == wanted:
                return application, f"its appRoot equals AMPLIFY_MONOREPO_APP_ROOT ({app_root!r})"
        raise SpecError(
            f"no application has the appRoot {app_root!r} of AMPLIFY_MONOREPO_APP_ROOT; there is {known}"
        )


def normal_root(text: str) -> str:
    """`./apps/a/` and `/apps/a` are `apps/a`; raises ValueError for a path that leaves the repository."""
    parts = [part for part in text.strip().replace("\\", "/").split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ValueError(f"{text!r} leaves the repository")
    return "/".join(parts)
