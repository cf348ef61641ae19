"""Reading access logs while edges write them: whole lines only, from hour to hour."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO

from preamp.store.access_logs import AccessLogFolder, hour_of

POLL_SECONDS = 0.25
HOUR = 3600
_CHUNK = 1 << 20


def existing(
    folder: AccessLogFolder, app: str, domain: str | None, *, hours: int, out: IO[bytes]
) -> dict[Path, int]:
    """Write the lines of the last hours, and tell how far each file was read."""
    places: dict[Path, int] = {}
    now = time.time()
    for back in range(hours - 1, -1, -1):
        for file in folder.files(app, domain, hour_of(now - back * HOUR)):
            _read_on(file, places, out)
    return places


def follow(
    folder: AccessLogFolder, app: str, domain: str | None, places: dict[Path, int], out: IO[bytes]
) -> None:
    """Write lines as they come, until interrupted."""
    while True:
        now = time.time()
        # Lines of the last hour's end are written when the next one has begun.
        for hour in dict.fromkeys((hour_of(now - 10), hour_of(now))):
            for file in folder.files(app, domain, hour):
                _read_on(file, places, out)
        out.flush()
        time.sleep(POLL_SECONDS)


def _read_on(file: Path, places: dict[Path, int], out: IO[bytes]) -> None:
    try:
        source = file.open("rb")
    except FileNotFoundError:  # it became too old
        return
    with source:
        source.seek(places.get(file, 0))
        while data := source.read(_CHUNK):
            end = data.rfind(b"\n") + 1
            if not end:
                break
            out.write(data[:end])
            places[file] = places.get(file, 0) + end
            source.seek(places[file])
