"""What the processes print: one line an event on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from preamp.model.work import current_work

TEXT = "text"
JSON = "json"


class JsonLines(logging.Formatter):
    """One JSON object a line. Of a line that belongs to a job it has `branch_id`, `job`, `attempt`."""

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
            **current_work(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logs(level: str, *, role: str, form: str = TEXT) -> None:
    handler = logging.StreamHandler()
    if form == JSON:
        handler.setFormatter(JsonLines(role))
    else:
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {role} %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line a request is the access log's business.
    for noisy in ("uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
