"""The access log: `access/{app id}/{YYYY-MM-DDTHH}/{name}.csv`, UTC, one file for each hour and name.

A name is a host as Preamp knows it: a branch's default host, a custom host, or a custom wildcard.

Lines have the 33 columns of CloudFront's standard log as Amplify delivers them (behaviour reference,
section 7.9), without a header line. Several edge processes append to the same file; each writes whole
lines only. Best effort, as the original: a crash loses what was not flushed, under a second's worth.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

# fmt: off
COLUMNS = (
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem",
    "sc-status", "cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-edge-result-type",
    "x-edge-request-id", "x-host-header", "cs-protocol", "cs-bytes", "time-taken", "x-forwarded-for",
    "ssl-protocol", "ssl-cipher", "x-edge-response-result-type", "cs-protocol-version", "fle-status",
    "fle-encrypted-fields", "c-port", "time-to-first-byte", "x-edge-detailed-result-type",
    "sc-content-type", "sc-content-len", "sc-range-start", "sc-range-end",
)
# fmt: on
HEADER = (",".join(COLUMNS).replace("(", "\\(").replace(")", "\\)") + "\n").encode()
"""The first line as delivered: parentheses escaped."""
LOCATION = "PREAMP"
"""`x-edge-location`; CloudFront names the data centre."""
FLUSH_SECONDS = 0.5
FLUSH_LINES = 4096
MOST_FIELDS = 4096
"""Header values whose written form is remembered."""
LONGEST_FIELD = 512
"""Bytes of such a value: longer ones are written anew each time, so that no visitor fills the memory."""
_CHUNK = 1 << 18
_SPECIAL = re.compile(r"[^!$&*+\-./0-9:;=?@A-Z_a-z~%\[\]#]")
_HOUR = "%Y-%m-%dT%H"

log = logging.getLogger(__name__)


class RepeatedLine:
    """What is the same in every line of an answer that is sent again and again; made by `repeated`."""

    __slots__ = ("key", "parts")

    def __init__(self, key: tuple[str, str], parts: tuple[str, str, str, str, str, str]) -> None:
        self.key = key
        self.parts = parts

    @property
    def size(self) -> int:
        """Characters."""
        return sum(map(len, self.parts))


class Repetition:
    """The same for one wording of the request: only times and client are missing; made by `wording`."""

    __slots__ = ("_lines", "_log", "_turn", "key", "parts")

    def __init__(self, log: AccessLog, key: tuple[str, str], parts: tuple[str, str, str, str]) -> None:
        self.key = key
        self.parts = parts
        self._log = log
        self._turn = -1
        self._lines: list[str] = []

    def write(self, client: str, port: str, taken: str = "0.000") -> None:
        """The answer was sent once more, `taken` seconds after the request came; a fraction of the cost of
        `AccessLog.add`."""
        log = self._log
        second = int(time.time())
        clock = log.clock
        if second != clock[0]:
            clock = log.tick(second)
        if self._turn != log.turn:
            self._turn = log.turn
            self._lines = log.lines_of(*self.key)
        start, request, told, end = self.parts
        self._lines.append(f"{clock[2]}{start}{client}{request}{taken}{told}{port},{taken}{end}")
        log.counted()


class AccessLog:
    """The writer of one edge process. Everything but the writing itself happens on its event loop.

    Call `add` once for each answer, run `keep_flushing()` as a task, and `close()` at the end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: dict[tuple[str, str, str], list[str]] = {}
        self.count = 0
        """Lines that wait to be written."""
        self._full = asyncio.Event()
        self.clock = (-1, "", "")
        """The current second, its hour and how lines of it begin."""
        self.turn = 0
        """Changes whenever lines go to another place than before."""
        self._fields: dict[bytes | None, str] = {None: "-"}
        self._failing = False

    def add(
        self,
        app_id: str,
        name: str,
        *,
        host: str,
        method: str,
        path: str,
        query: str = "",
        status: int,
        result: str,
        sent: int,
        client: str,
        port: int = 0,
        request_id: str = "",
        protocol: str = "http",
        version: str = "HTTP/1.1",
        received: int = 0,
        taken: float = 0.0,
        first_byte: float = 0.0,
        referer: str = "",
        user_agent: str = "",
        cookie: str = "",
        forwarded_for: str = "",
        ssl_protocol: str = "",
        ssl_cipher: str = "",
        content_type: str = "",
        content_length: int | None = None,
        range_start: int | None = None,
        range_end: int | None = None,
        at: float | None = None,
    ) -> None:
        """One answer.

        `name`: the host as Preamp knows it, lower case, no port: for a name that a wildcard covers it is the
        wildcard, so that strangers cannot make files without end. `host`: the Host header. `path` and
        `query` as in the request line. `result`: `Hit`, `Miss` or `Error`. `sent` and `received`: bytes of
        answer and request with their heads. `taken` and `first_byte`: seconds since the request came. `at`:
        when it was answered, epoch seconds; the default is this moment. Empty texts are written as `-`.
        """
        second = int(time.time() if at is None else at)
        _, hour, stamp = self.clock if second == self.clock[0] else self.tick(second)
        line = (
            f"{stamp},{LOCATION},{sent},{client},{method},{name},{_text(path)},{status},{_text(referer)},"
            f"{_text(user_agent)},{_text(query)},{_text(cookie)},{result},{request_id or '-'},{_text(host)},"
            f"{protocol},{received},{taken:.3f},{_text(forwarded_for)},{ssl_protocol or '-'},"
            f"{ssl_cipher or '-'},{result},{version},-,-,{port},{first_byte:.3f},{result},"
            f"{_text(content_type)},{_number(content_length)},{_number(range_start)},{_number(range_end)}\n"
        )
        self._pending.setdefault((app_id, hour, name), []).append(line)
        self.counted()

    def repeated(
        self,
        app_id: str,
        name: str,
        *,
        host: str,
        method: str,
        path: str,
        query: str,
        status: int,
        result: str,
        sent: int,
        content_type: str,
        content_length: int | None,
        protocol: str = "http",
    ) -> RepeatedLine:
        """For an answer that is given again and again; the parameters are those of `add`."""
        return RepeatedLine(
            (app_id, name),
            (
                f",{LOCATION},{sent},",
                f",{method},{name},{_text(path)},{status},",
                f",{_text(query)},",
                f",{result},-,{_text(host)},{protocol},",
                f",-,-,{result},HTTP/1.1,-,-,",
                f",{result},{_text(content_type)},{_number(content_length)},-,-\n",
            ),
        )

    def wording(
        self,
        line: RepeatedLine,
        *,
        received: int,
        referer: bytes | None,
        user_agent: bytes | None,
        cookie: bytes | None,
        forwarded_for: bytes | None,
    ) -> Repetition:
        """For requests that say the same in the same words. Fields are headers as received."""
        values, fields = (referer, user_agent, cookie, forwarded_for), self._fields
        try:
            told = [fields[value] for value in values]
        except KeyError:
            told = [self._field(value) for value in values]
        first, second, third, fourth, fifth, last = line.parts
        client = f"{second}{told[0]},{told[1]}{third}{told[2]}{fourth}{received},"
        return Repetition(self, line.key, (first, client, f",{told[3]}{fifth}", last))

    def _field(self, value: bytes | None) -> str:
        known = self._fields.get(value)
        if known is None:
            assert value is not None, "None is always known"
            known = _text(value.decode("latin-1"))
            if len(value) <= LONGEST_FIELD:
                if len(self._fields) > MOST_FIELDS:
                    self._fields = {None: "-"}
                self._fields[value] = known
        return known

    def lines_of(self, app_id: str, name: str) -> list[str]:
        """Where lines of this second go, until `turn` changes."""
        return self._pending.setdefault((app_id, self.clock[1], name), [])

    def counted(self) -> None:
        """A line was added."""
        self.count += 1
        if self.count == FLUSH_LINES:
            self._full.set()

    def tick(self, second: int) -> tuple[int, str, str]:
        """The new `clock`."""
        hour, stamp = _moment(second)
        if hour != self.clock[1]:
            self.turn += 1  # lines go to another file from now on
        self.clock = (second, hour, stamp)
        return self.clock

    async def keep_flushing(self) -> None:
        """Write what came, at least twice a second, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._full.wait()
            except TimeoutError:
                pass
            await asyncio.shield(self._flush())

    def close(self) -> None:
        """Write the rest; `keep_flushing` has ended."""
        self._write(self._take())

    async def _flush(self) -> None:
        pending = self._take()
        if pending:
            await asyncio.to_thread(self._write, pending)

    def _take(self) -> dict[tuple[str, str, str], list[str]]:
        pending, self._pending = self._pending, {}
        self.turn += 1
        self.count = 0
        self._full.clear()
        return pending

    def _write(self, pending: dict[tuple[str, str, str], list[str]]) -> None:
        try:
            for (app_id, hour, name), lines in pending.items():
                data = "".join(lines).encode("latin-1", "replace")
                _append(self._folder / app_id / hour, f"{name}.csv", data)
        except OSError as error:
            # Serving goes on; these lines are lost, as best effort allows.
            if not self._failing:
                log.error("the access log cannot be written: %s", error)
            self._failing = True
        else:
            self._failing = False


def _append(folder: Path, name: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        fd = os.open(folder / name, flags, 0o644)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / name, flags, 0o644)
    try:
        # One write: lines of several processes do not mix.
        if os.write(fd, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(fd)


def _moment(second: int) -> tuple[str, str]:
    moment = datetime.fromtimestamp(second, tz=UTC)
    return moment.strftime(_HOUR), moment.strftime("%Y-%m-%d,%H:%M:%S")


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _text(value: str) -> str:
    """A field as delivered: no commas, blanks as `%20`, parentheses escaped, odd bytes percent-encoded."""
    if not value:
        return "-"
    if _SPECIAL.search(value) is None:
        return value
    return _remembered(value) if len(value) <= LONGEST_FIELD else _escaped(value)


def _escaped(value: str) -> str:
    return _SPECIAL.sub(_replacement, value)


_remembered = lru_cache(maxsize=MOST_FIELDS)(_escaped)


def _replacement(match: re.Match[str]) -> str:
    char = match[0]
    if char == ",":
        return ""
    if char in "()":
        return f"\\{char}"
    return "".join(f"%{byte:02X}" for byte in char.encode("latin-1" if char <= "\xff" else "utf-8"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A range of whole seconds, both ends included."""

    first_s: int
    last_s: int


class AccessLogs(Protocol):
    """The reader's side, and the housekeeping. Where the logs are on other machines, every method raises
    DependentServiceFailure while these are away. Blocking."""

    def csv(self, app_id: str, domain: str, window: Window) -> Iterator[bytes]:
        """The header and every line of `domain` and the hosts below it, hour by hour."""

    def delete_before(self, time_ms: int) -> int:
        """Delete whole hours that ended before that time; how many folders went."""

    def ship(self) -> None:
        """Make what was written on this machine readable from everywhere; raises OSError, too. Of several
        processes of a machine one does it."""

    def close(self) -> None:
        """Nothing more is shipped."""


class AccessLogFolder:
    """Those of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def csv(self, app_id: str, domain: str, window: Window) -> Iterator[bytes]:
        yield HEADER
        for hour in hours(window):
            for file in self.files(app_id, domain, hour):
                yield from _between(file, window)

    def files(self, app_id: str, domain: str | None, hour: str) -> list[Path]:
        """Of an hour as `hour_of` names it, for `domain` and the hosts below it; None: all of the app."""
        try:
            files = list((self._folder / app_id / hour).iterdir())
        except FileNotFoundError:
            return []
        if domain is None:
            return sorted(files)
        return sorted(file for file in files if is_of(file.name.removesuffix(".csv"), domain))

    def delete_before(self, time_ms: int) -> int:
        oldest = hour_name(datetime.fromtimestamp(time_ms / 1000, tz=UTC))
        gone = 0
        for app in self._entries(self._folder):
            for hour in self._entries(app):
                if hour.name < oldest:
                    shutil.rmtree(hour, ignore_errors=True)
                    gone += 1
        return gone

    def ship(self) -> None:
        return

    def close(self) -> None:
        return

    @staticmethod
    def _entries(folder: Path) -> list[Path]:
        try:
            return [entry for entry in folder.iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []


def is_of(name: str, domain: str) -> bool:
    """Whether a log is that of `domain` or of a host below it."""
    return name == domain or name.endswith(f".{domain}")


def hour_name(moment: datetime) -> str:
    """Of a time in UTC; names sort like their hours."""
    return moment.strftime(_HOUR)


def hour_of(seconds: float) -> str:
    """The name of the hour of a time, in epoch seconds: `2026-11-22T00`."""
    return _moment(int(seconds))[0]


def hours(window: Window) -> Iterator[str]:
    moment = datetime.fromtimestamp(window.first_s, tz=UTC).replace(minute=0, second=0, microsecond=0)
    while moment.timestamp() <= window.last_s:
        yield hour_name(moment)
        moment += timedelta(hours=1)


def _between(file: Path, window: Window) -> Iterator[bytes]:
    try:
        source = file.open("rb")
    except FileNotFoundError:  # its app was deleted, or it became too old
        return
    with source:
        yield from between(source, window)


def between(lines: Iterable[bytes], window: Window) -> Iterator[bytes]:
    """Those of the window; in blocks."""
    first, last = _moment(window.first_s)[1].encode(), _moment(window.last_s)[1].encode()
    wanted: list[bytes] = []
    size = 0
    for line in lines:
        # A line that a full disk cut short has fewer columns, or more with its successor.
        if first <= line[: len(first)] <= last and line.count(b",") == len(COLUMNS) - 1:
            wanted.append(line)
            size += len(line)
            if size >= _CHUNK:
                yield b"".join(wanted)
                wanted.clear()
                size = 0
    if wanted:
        yield b"".join(wanted)
