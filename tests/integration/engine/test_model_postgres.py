"""The model check of `test_model`, on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from preamp.store.database import Database
from tests.integration.engine.test_model import Jobs
from tests.support.postgres import Postgres
from tests.support.rows import new_database


@pytest.mark.needs("postgres")
def test_jobs_live_as_the_model_says(postgres: Postgres) -> None:
    class OnPostgres(Jobs):
        def fresh_database(self, folder: Path) -> Database:
            return new_database(folder, postgres.url(postgres.new_database()))

    run_state_machine_as_test(
        OnPostgres,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
