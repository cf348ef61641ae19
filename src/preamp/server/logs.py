"""What the processes print: one line an event on standard error."""

from __future__ import annotations

import logging


def configure_logs(level: str, *, role: str) -> None:
    logging.basicConfig(
        level=level.upper(),
        format=f"%(asctime)s %(levelname)s {role} %(name)s: %(message)s",
        force=True,
    )
    # One line a request is the access log's business.
    for noisy in ("uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
