"""An entry of the audit log: a call that was to change something."""

from __future__ import annotations

from dataclasses import dataclass

DONE = "OK"
"""The result of a call that did what it was asked for; other results are codes of errors."""

MAX_TARGET = 400
"""Characters of what an entry is about; the rest is cut off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    at_ms: int
    account: str | None
    """None for commands, which work on the data folder itself."""
    actor: str
    """An access key id, `webhook:ID`, `cli:USER@MACHINE` for commands, or `unknown` when nobody proved to be
    anybody."""
    operation: str
    """Of the API, such as `StartJob`; of Preamp's own, such as `/_preamp/rollback`; or a command."""
    app_id: str | None
    target: str
    """What it was about, as short text such as `branchName=main jobId=3`; never values of secrets."""
    result: str
    """`DONE` or the error's code; of a command the kind of its error."""
    request_id: str
    """As in the answer and the log; empty for commands and webhooks."""
