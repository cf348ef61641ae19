"""amplify.yml text -> BuildSpec, tolerant of everything real files contain, exact about what is wrong."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence

from preamp.build import yaml_nodes
from preamp.build.errors import SpecError
from preamp.build.spec import (
    PHASES,
    TEST_PHASES,
    Application,
    ArtifactRule,
    BuildSpec,
    Command,
    Phase,
    Section,
    normal_root,
)
from preamp.build.yaml_nodes import Entries, Items, Text, Value

_APPLICATION = (
    "appRoot", "env", "environment", "backend", "frontend", "test", "buildPath", "customHeaders",
)  # fmt: skip
_TOP = ("version", "applications", *_APPLICATION)
_SECTION = ("phases", "artifacts", "cache", "buildPath", "customHeaders")
_ARTIFACTS = ("baseDirectory", "files", "discard-paths", "configFilePath", "name")
_TRUE = {"yes", "true", "on", "y", "1"}
_FALSE = {"no", "false", "off", "n", "0"}


def parse_spec(text: str) -> BuildSpec:
    """Raises SpecError with line and column. Unknown keys become warnings."""
    return _Parser(text).spec()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self._warnings: list[str] = []

    def spec(self) -> BuildSpec:
        root = yaml_nodes.parse(self._text)
        if isinstance(root, Text) and root.text is None:
            raise SpecError("it is empty")
        top = self._entries(root, "the build spec")
        self._unknown(top, _TOP, "the build spec")
        listed = top.entries.get("applications")
        if listed is None:
            applications: tuple[Application, ...] = (self._application(top, None),)
        else:
            shared = self._variables(top)
            items = self._items(listed, "applications")
            applications = tuple(self._listed(item, shared) for item in items)
            if not applications:
                raise self._error(listed, "`applications` is empty")
            for key in ("frontend", "backend", "test"):
                if key in top.entries:
                    self._warn(top.keys[key], f"`{key}` beside `applications` is ignored")
        return BuildSpec(
            applications=applications, monorepo=listed is not None, warnings=tuple(self._warnings)
        )

    def _listed(self, value: Value, shared: dict[str, str]) -> Application:
        entries = self._entries(value, "an entry of `applications`")
        self._unknown(entries, _APPLICATION, "an entry of `applications`")
        root = self._text_of(entries, "appRoot")
        if root is None:
            raise self._error(entries, "an entry of `applications` has no `appRoot`")
        try:
            app_root = normal_root(root)
        except ValueError as error:
            raise self._error(entries.entries["appRoot"], f"appRoot {error}") from None
        return self._application(entries, app_root, shared)

    def _application(
        self, entries: Entries, root: str | None, shared: dict[str, str] | None = None
    ) -> Application:
        frontend = entries.entries.get("frontend")
        test = entries.entries.get("test")
        has_test = test is not None and not self._empty(test)
        return Application(
            app_root=root,
            variables=(shared or {}) | self._variables(entries),
            backend=self._section(entries.entries.get("backend"), "backend", PHASES),
            frontend=self._section(frontend, "frontend", PHASES),
            test=self._section(test, "test", TEST_PHASES) if has_test else None,
            build_path=self._text_of(entries, "buildPath"),
            custom_headers=self._headers(entries, frontend),
        )

    def _section(self, value: Value | None, name: str, phases: Sequence[str]) -> Section:
        if value is None or self._empty(value):
            return Section()
        entries = self._entries(value, f"`{name}`")
        self._unknown(entries, _SECTION, f"`{name}`")
        return Section(
            phases=tuple(self._phases(entries, name, phases)),
            artifacts=self._artifacts(entries.entries.get("artifacts"), name),
            cache_paths=self._cache(entries.entries.get("cache"), name),
            build_path=self._text_of(entries, "buildPath"),
        )

    def _phases(self, section: Entries, name: str, known: Sequence[str]) -> Iterator[Phase]:
        value = section.entries.get("phases")
        if value is None or self._empty(value):
            return
        phases = self._entries(value, f"`{name}.phases`")
        self._unknown(phases, known, f"`{name}.phases`")
        for phase in known:
            content = phases.entries.get(phase)
            if content is None or self._empty(content):
                continue
            where = f"`{name}.phases.{phase}`"
            if isinstance(content, Entries):
                self._unknown(content, ("commands",), where)
                commands = content.entries.get("commands")
            else:
                raise self._error(content, f"{where} must be a map with `commands`")
            if commands is not None and (found := tuple(self._commands(commands, where))):
                yield Phase(name=phase, commands=found)

    def _commands(self, value: Value, where: str) -> Iterator[Command]:
        if isinstance(value, Text):
            if value.text is not None and value.text.strip():
                yield Command(text=value.text.rstrip("\n"), line=value.line)
        elif isinstance(value, Items):
            for item in value.items:
                yield from self._commands(item, where)
        elif isinstance(value, Entries):
            key = next(iter(value.entries), "")
            raise self._error(
                value,
                f"a command of {where} reads as a map because of the `: ` after `{key}`; put it in quotes",
            )

    def _artifacts(self, value: Value | None, name: str) -> ArtifactRule | None:
        if value is None or self._empty(value):
            return None
        entries = self._entries(value, f"`{name}.artifacts`")
        self._unknown(entries, _ARTIFACTS, f"`{name}.artifacts`")
        base = self._text_of(entries, "baseDirectory")
        files = self._strings(entries.entries.get("files"), f"`{name}.artifacts.files`")
        return ArtifactRule(
            base_directory=_unquoted(base) if base is not None else None,
            files=files or ("**/*",),
            discard_paths=self._flag(entries, "discard-paths"),
            config_file_path=self._text_of(entries, "configFilePath"),
        )

    def _cache(self, value: Value | None, name: str) -> tuple[str, ...]:
        if value is None or self._empty(value):
            return ()
        entries = self._entries(value, f"`{name}.cache`")
        self._unknown(entries, ("paths",), f"`{name}.cache`")
        return self._strings(entries.entries.get("paths"), f"`{name}.cache.paths`")

    def _variables(self, entries: Entries) -> dict[str, str]:
        result: dict[str, str] = {}
        for key in ("environment", "env"):
            value = entries.entries.get(key)
            if value is None or self._empty(value):
                continue
            block = self._entries(value, f"`{key}`")
            self._unknown(block, ("variables",), f"`{key}`")
            variables = block.entries.get("variables")
            if variables is None or self._empty(variables):
                continue
            for name, item in self._entries(variables, f"`{key}.variables`").entries.items():
                if not isinstance(item, Text):
                    raise self._error(item, f"the variable `{name}` must be text")
                if name.startswith("AWS"):
                    self._warn(
                        item, f"the variable `{name}` is ignored: names that begin with AWS are reserved"
                    )
                elif not name or "=" in name or "\0" in name + (item.text or ""):
                    raise self._error(item, f"`{name}` cannot be the name of a variable")
                else:
                    result[name] = item.text or ""
        return result

    def _headers(self, entries: Entries, frontend: Value | None) -> str | None:
        value = entries.entries.get("customHeaders")
        if value is None and isinstance(frontend, Entries):
            value = frontend.entries.get("customHeaders")
        if value is None or self._empty(value):
            return None
        return json.dumps({"customHeaders": yaml_nodes.plain(value)}, ensure_ascii=False)

    def _strings(self, value: Value | None, where: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if isinstance(value, Text):
            text = _unquoted(value.text or "")
            return (text,) if text else ()
        if isinstance(value, Items):
            return tuple(text for item in value.items for text in self._strings(item, where))
        raise self._error(value, f"{where} must be a list of paths")

    def _text_of(self, entries: Entries, key: str) -> str | None:
        value = entries.entries.get(key)
        if value is None:
            return None
        if not isinstance(value, Text):
            raise self._error(value, f"`{key}` must be text")
        return value.text

    def _flag(self, entries: Entries, key: str) -> bool:
        text = (self._text_of(entries, key) or "no").lower()
        if text not in _TRUE | _FALSE:
            raise self._error(entries.entries[key], f"`{key}` must be yes or no, not {text!r}")
        return text in _TRUE

    def _entries(self, value: Value, where: str) -> Entries:
        if isinstance(value, Entries):
            return value
        kind = "a list" if isinstance(value, Items) else "text"
        raise self._error(value, f"{where} must be a map, not {kind}")

    def _items(self, value: Value, where: str) -> tuple[Value, ...]:
        if isinstance(value, Items):
            return value.items
        raise self._error(value, f"`{where}` must be a list")

    def _empty(self, value: Value) -> bool:
        return isinstance(value, Text) and value.text is None

    def _unknown(self, entries: Entries, known: Sequence[str], where: str) -> None:
        for key in entries.entries:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f", did you mean `{close[0]}`?" if close else ""
                self._warn(entries.keys[key], f"unknown key `{key}` in {where} is ignored{hint}")

    def _warn(self, place: Value, text: str) -> None:
        self._warnings.append(f"amplify.yml:{place.line}:{place.column}: {text}")

    def _error(self, place: Value, text: str) -> SpecError:
        return yaml_nodes.error_at(self._text, text, place.line, place.column)


def _unquoted(text: str) -> str:
    """Globs are often quoted twice: `"'**/*'"`."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text
