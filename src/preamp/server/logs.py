"""What the processes print: one line an event on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from preamp.model.work import current_work

TEXT = "text"
JSON = "json"
_PLAIN = re.compile(r"[\w./:@+*-]+")


def facts() -> dict[str, str | int]:
    """What the running code works on.

    Of a call of the API `request_id`, as the client was told it, `operation`, and what the path names, such
    as `app_id`; of a job `app_id`, `branch_name`, `branch_id`, `job_id`, `attempt`.
    """
    return {name: value for name, value in current_work().items() if value != ""}


class TextLines(logging.Formatter):
    """One line an event, with what it belongs to at its end in brackets."""

    def __init__(self, role: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {role} %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the base class's name)
        line = super().formatMessage(record)
        pairs = " ".join(f"{name}={_shown(value)}" for name, value in facts().items())
        return f"{line} [{pairs}]" if pairs else line


def _shown(value: str | int) -> str:
    """Quoted where it could be mistaken: names come from clients, and a line must stay one line."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class JsonLines(logging.Formatter):
    """One JSON object a line, with what it belongs to where that is known (`facts`)."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "role": self._role,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
            **facts(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logs(level: str, *, role: str, form: str = TEXT) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(role) if form == JSON else TextLines(role))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line a request is the access log's business.
    for noisy in ("uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
