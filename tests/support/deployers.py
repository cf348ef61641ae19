"""Publishing and collecting blobs of one object store at the same time."""

from __future__ import annotations

import random
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from preamp.store.blobs.cache import BlobCache
from preamp.store.blobs.s3 import S3Blobs

GRACE = 1000
LATER = 10**15
"""A time by which everything is older than the grace time."""


class Deployers:
    """Threads that publish the same few blobs again and again and give them up again, and a collector.

    The collector waits at the start of a round until everybody has committed who was putting when the last
    round ended: this is what the grace time is for.
    """

    def __init__(self, store: Any, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.lock = threading.Lock()
        self.rows: list[str] = []
        self.putting: dict[int, int] = {}
        self.puts = 0
        self.lost: list[str] = []
        self.removed = 0
        self.over = False

    def new_blobs(self) -> S3Blobs:
        return S3Blobs(self.store, BlobCache(self.folder / secrets.token_hex(4), max_bytes=10**9))

    def deploy(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.over:
            # A machine that was not there before: whatever is kept has to come from the store.
            blobs, reader = self.new_blobs(), self.new_blobs()
            with self.lock:
                self.puts += 1
                turn = self.puts
                self.putting[turn] = turn
            data = f"blob {chance.randrange(3)}".encode()
            name = blobs.put_bytes(data).name
            blobs.sync()
            time.sleep(chance.random() * 0.01)
            with self.lock:
                self.rows.append(name)
                del self.putting[turn]
            time.sleep(chance.random() * 0.01)
            try:
                if reader.read(name) != data:
                    self.lost.append(name)
            except FileNotFoundError:
                self.lost.append(name)
            with self.lock:
                self.rows.remove(name)
            blobs.close()
            reader.close()
            time.sleep(chance.random() * 0.02)

    def collect(self) -> None:
        blobs = self.new_blobs()
        before = 0
        while not self.over:
            while any(turn <= before for turn in list(self.putting)):
                time.sleep(0.001)
            seen = blobs.look()
            with self.lock:
                referenced = set(self.rows)
            self.removed += len(blobs.collect(seen, referenced, now=LATER, grace_ms=GRACE))
            with self.lock:
                before = self.puts
        blobs.close()

    def run(self, *, removals: int) -> None:
        threads = [threading.Thread(target=self.deploy, args=(seed,)) for seed in range(4)]
        threads += [threading.Thread(target=self.collect)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 40
        while self.removed < removals and not self.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        self.over = True
        for thread in threads:
            thread.join()
