"""A secret of builds: a value that is stored sealed and masked in every log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

EVERY_BRANCH = ""
MAX_VALUE_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """A stored secret."""

    app_id: str
    branch: str
    """`EVERY_BRANCH`, or the name of the only branch whose builds see it."""
    name: str
    value: str = field(repr=False)
    as_variable: bool
    """Whether builds see it as a variable of its own, beside the JSON variable `secrets`."""
    updated_ms: int


def problem_of(name: str, value: str) -> str | None:
    """Why it cannot be stored; None when it can."""
    if not _NAME.fullmatch(name):
        return f"{name!r} cannot be the name of a secret: letters, digits and _, not beginning with a digit"
    if name.startswith("AWS"):
        return f"{name!r} cannot be the name of a secret: names that begin with AWS are reserved"
    if not value:
        return f"the value of {name} is empty"
    if "\0" in value:
        return f"the value of {name} contains a zero byte, which no variable can hold"
    if len(value.encode()) > MAX_VALUE_BYTES:
        return f"the value of {name} is larger than {MAX_VALUE_BYTES // 1024} KiB"
    return None
