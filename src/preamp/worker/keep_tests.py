"""Store what the test step left, also of a job that fails."""

from __future__ import annotations

from preamp.build.request import Checked
from preamp.model.jobs import Attempt
from preamp.store import artifacts, jobs
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.worker.steps import AttemptLost


def keep_tests(checked: Checked, *, attempt: Attempt, blobs: BlobStore, database: Database) -> None:
    """Blobs first, then rows that name them. Blocking. Raises AttemptLost."""
    stored = {name: blobs.put_file(checked.folder / name) for name in checked.files}
    blobs.sync()
    with database.write() as tx:
        if not jobs.is_current(tx.conn, attempt):
            raise AttemptLost
        artifacts.replace_artifacts(
            tx.conn, attempt.branch_id, attempt.number, stored, config_file=checked.config_file
        )
