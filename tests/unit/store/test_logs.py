from __future__ import annotations

from pathlib import Path

import pytest

from preamp.model.jobs import Attempt, StepName
from preamp.store.logs import LogFolder


def test_branches_and_jobs_may_go_while_sizes_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = LogFolder(tmp_path)
    for branch_id, number in ((1, 1), (2, 1), (2, 2), (3, 1)):
        writer = logs.writer(Attempt(branch_id=branch_id, number=number, attempt=1), StepName.BUILD)
        writer.write(b"four")
        writer.close()
    iterdir, glob = Path.iterdir, Path.glob

    def after_the_branch_went(self):
        if self == tmp_path / "1":
            logs.delete_branch(1)
        return iterdir(self)

    def before_the_job_goes(self, pattern):
        found = list(glob(self, pattern))
        if self == tmp_path / "2" / "1":
            logs.delete_job(2, 1)
        return found

    monkeypatch.setattr(Path, "iterdir", after_the_branch_went)
    monkeypatch.setattr(Path, "glob", before_the_job_goes)
    assert logs.sizes() == {(2, 2): 4, (3, 1): 4}
