"""Requests without end while something happens, each of which has to be answered."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from tests.support.preamp import fetch, until

PAUSE_SECONDS = 0.005


class Load:
    def __init__(self) -> None:
        self.over = threading.Event()
        self.done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def repeat(self, kind: str, request: Callable[[], bool]) -> None:
        """`request` says whether it counts; what it raises ends all."""
        try:
            while not self.over.wait(PAUSE_SECONDS):
                counts = request()
                with self._lock:
                    self.done[kind] += counts
        except BaseException:
            self.over.set()
            raise

    def wait_for_more(self) -> None:
        """Until there was more of everything."""
        before = self.done.copy()
        until(
            lambda: self.over.is_set() or all(self.done[kind] > before[kind] for kind in before),
            "more of each kind of request",
        )


@contextmanager
def load(requests: list[tuple[str, Callable[[], bool]]]) -> Iterator[Load]:
    """Each request is repeated in a thread of its own until the block ends; raises what one raised."""
    it = Load()
    it.done.update({kind: 0 for kind, _ in requests})
    with ThreadPoolExecutor(len(requests)) as pool:
        tasks = [pool.submit(it.repeat, kind, request) for kind, request in requests]
        try:
            yield it
        finally:
            it.over.set()
        for task in tasks:
            task.result()


def start_job(client: Any, app_id: str, name: str) -> bool:
    """False: the job before it is not over."""
    try:
        client.start_job(appId=app_id, branchName=name, jobType="RELEASE")
    except ClientError as error:
        if error.response["Error"]["Code"] == "LimitExceededException":
            return False
        raise
    return True


def get(netloc: str, host: str, path: str) -> bool:
    """On a connection of its own."""
    status, body = fetch(netloc, host, path)
    assert status == 200, body
    return True
