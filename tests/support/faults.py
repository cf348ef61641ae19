"""Faults that happen to a running Preamp while a test works with it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence


class FaultThread(threading.Thread):
    """One fault after the other, each of `kinds` once in a shuffled round, then again."""

    def __init__(self, chance: random.Random, *, pause_seconds: tuple[float, float]) -> None:
        super().__init__()
        self.chance = chance
        self.over = threading.Event()
        self.round_done = threading.Event()
        self.done: Counter[str] = Counter()
        self.trouble: list[BaseException] = []
        self._pause_seconds = pause_seconds

    def kinds(self) -> Sequence[Callable[[], None]]:
        """The functions that make them happen, known by their names."""
        raise NotImplementedError

    def run(self) -> None:
        kinds = list(self.kinds())
        try:
            while not self.over.is_set():
                self.chance.shuffle(kinds)
                for fault in kinds:
                    if self.over.wait(self.chance.uniform(*self._pause_seconds)):
                        return
                    print(f"  {time.strftime('%H:%M:%S')} {fault.__name__}", flush=True)
                    fault()
                    self.done[fault.__name__] += 1
                self.round_done.set()
        except BaseException as error:  # noqa: BLE001 (the test fails with it)
            self.trouble.append(error)
        finally:
            self.round_done.set()
