"""Rules of this house that no linter knows. Prints what breaks them; exit status 1 when anything does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
LENGTH_REASON = re.compile(r"generated|over \d+ lines", re.IGNORECASE)
# Written in pieces, so that the rules do not find themselves.
UNFINISHED = re.compile(
    "|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b", r"\bfor n" + r"ow\b")), re.IGNORECASE
)
MACHINE_PATH = re.compile(
    # Build specs written for Amplify's older image, where builds ran as root, cache such folders.
    r"(?<![\w.$}/-])/(?:wo" + "rk|fa" + r"rm|ro" + r"ot(?!/\.(?:cache|npm|gradle|m2)/)|ho"
    r"me/(?!user\b|you\b)[a-z]+)/[\w.]"
)
REGISTRY = re.compile(
    r"(?:files\.python"
    r"hosted\.org|py"
    r"pi\.org|registry\.npm"
    r"js\.org|registry\.yarn"
    r"pkg\.com)"
)
ADDRESS_IN_LOCK = re.compile(
    r'"resolved"\s*:\s*"[a-z+]+:|^\s*--(?:extra-)?index-url|^\s*--find-links| @ https?://', re.MULTILINE
)
LOCKS = re.compile(r"(?:\.lock|(?:^|/)package-lock\.json)$")
BINARY = re.compile(r"\.(?:png|jpg|ico|woff2?|zip|gz|br|zst|wasm)$")


def main() -> int:
    problems = sorted(set(check_tree(ROOT)))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" if problems else "the house rules hold")
    return 1 if problems else 0


def check_tree(root: Path) -> Iterator[str]:
    """Every problem of the files that git tracks, or would track, as `path:line: what`."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = root / name
        if path.is_file() and not BINARY.search(name):
            yield from check_text(name, path.read_text("utf-8"))


def check_text(name: str, text: str) -> Iterator[str]:
    """The problems of one file."""
    yield from _matches(name, text, MACHINE_PATH, "a path of one machine")
    yield from _matches(name, text, REGISTRY, "the host of a package registry")
    if LOCKS.search(name):
        yield from _matches(name, text, ADDRESS_IN_LOCK, "a download address in a lock file")
    if name.startswith("src/"):
        yield from _matches(name, text, UNFINISHED, "a word of unfinished work")
    if name.endswith(".py"):
        yield from _python(name, text)


def _matches(name: str, text: str, pattern: re.Pattern[str], what: str) -> Iterator[str]:
    for match in pattern.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield f"{name}:{line}: {what}: {match.group().strip()}"


def _python(name: str, text: str) -> Iterator[str]:
    tree = ast.parse(text, name)
    document = ast.get_docstring(tree) or ""
    lines = text.count("\n")
    if lines > MAX_LINES and not LENGTH_REASON.search(document):
        yield (
            f"{name}:1: {lines} lines; split it by use case, or say in its docstring why it is "
            f"'over {MAX_LINES} lines'"
        )
    if name.startswith("src/"):
        if not document and Path(name).name != "py.typed":
            yield f"{name}:1: no docstring says what lives here"
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and _is_silent(node.body):
                yield f"{name}:{node.lineno}: an exception is swallowed"
            if isinstance(node, ast.Raise) and _is_unfinished(node.exc):
                yield f"{name}:{node.lineno}: unfinished work raises instead of working"
            if isinstance(node, ast.withitem) and _suppresses_all(node.context_expr):
                yield f"{name}:{node.context_expr.lineno}: an exception is swallowed"


def _is_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_is_broad(item) for item in kind.elts)
    return kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})


def _is_unfinished(error: ast.expr | None) -> bool:
    kind = error.func if isinstance(error, ast.Call) else error
    return isinstance(kind, ast.Name) and kind.id == "NotImplementedError"


def _is_silent(body: list[ast.stmt]) -> bool:
    def nothing(statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Return):
            value = statement.value
            return value is None or (isinstance(value, ast.Constant) and value.value is None)
        if isinstance(statement, ast.Expr):
            return isinstance(statement.value, ast.Constant)
        return isinstance(statement, ast.Pass | ast.Continue)

    return all(nothing(statement) for statement in body)


def _suppresses_all(call: ast.expr) -> bool:
    if not isinstance(call, ast.Call):
        return False
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "suppress" and any(_is_broad(argument) for argument in call.args)


if __name__ == "__main__":
    sys.exit(main())
