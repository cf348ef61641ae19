"""Hear what other machines say through PostgreSQL's NOTIFY: a thread with a connection of its own.

What is said while the connection is down is not heard: everyone who listens also looks by himself now and
then. Wants a direct connection: poolers in transaction mode do not carry LISTEN.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from preamp.store.database import CHANGES_CHANNEL
from preamp.store.postgres import SOCKET, sqlalchemy_url

_log = logging.getLogger(__name__)
RETRY_SECONDS = 0.5
WAKE_SECONDS = 0.5
"""How soon `close` is noticed."""


class HeardChanges:
    """The newest change of hosting that was heard of: what `Bell` is to the processes of one machine."""

    def __init__(self, url: str) -> None:
        self.value = 0
        self._listener = Listener(url, {CHANGES_CHANNEL: self._hear})
        self._listener.start()

    def _hear(self, text: str) -> None:
        self.value = int(text)

    def close(self) -> None:
        self._listener.close()


class Listener:
    """Calls back, in its own thread, for each message on a channel."""

    def __init__(self, url: str, heard: Mapping[str, Callable[[str], None]]) -> None:
        parsed = sqlalchemy_url(url).set(drivername="postgresql")
        self._where = make_conninfo(parsed.render_as_string(hide_password=False), **SOCKET)
        self._heard = heard
        self._closing = threading.Event()
        self.connected = threading.Event()
        """Whether messages are heard now."""
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        failing = False
        while not self._closing.is_set():
            try:
                with psycopg.connect(self._where, autocommit=True) as conn:
                    if failing:
                        _log.warning("the database can be heard again")
                    failing = False
                    self._listen(conn)
            except psycopg.Error as error:
                if not failing:
                    _log.warning("the database cannot be heard, changes are polled: %s", error)
                failing = True
            self.connected.clear()
            self._closing.wait(RETRY_SECONDS)

    def _listen(self, conn: psycopg.Connection) -> None:
        for channel in self._heard:
            conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        self.connected.set()
        while not self._closing.is_set():
            for message in conn.notifies(timeout=WAKE_SECONDS):
                try:
                    self._heard[message.channel](message.payload)
                except Exception:  # noqa: BLE001 (one bad message must not make this deaf)
                    _log.exception("a message on %s was not understood", message.channel)
