"""The end of an edge process."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from preamp.model.errors import DependentServiceFailure
from preamp.server import edge
from preamp.store.access_logs import AccessLogs


class Logs:
    def __init__(self, *, away: bool = False) -> None:
        self.answers = threading.Event()
        self.shipped = 0
        self.away = away

    def ship(self) -> None:
        self.answers.wait()
        if self.away:
            raise DependentServiceFailure("away")
        self.shipped += 1


@pytest.mark.parametrize("away", [False, True])
def test_what_is_left_of_access_logs_is_shipped(away: bool) -> None:
    logs = Logs(away=away)
    logs.answers.set()
    edge.ship_last(cast("AccessLogs", logs))
    assert logs.shipped == (not away)


def test_an_object_store_that_does_not_answer_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "LAST_SHIPPING_SECONDS", 0.05)
    logs = Logs()
    edge.ship_last(cast("AccessLogs", logs))
    assert logs.shipped == 0
    logs.answers.set()
