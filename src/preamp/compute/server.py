"""A server of the host's: its life, its leases, and the clients that hold them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from preamp.compute.messages import FromHost, Gone, Kept, Retire

if TYPE_CHECKING:
    # A host that nobody needs yet does without them.
    from preamp.compute.bundles import Bundle
    from preamp.compute.facts import Facts
    from preamp.compute.instance import Instance
    from preamp.compute.logs import ServerLog

ANSWER_SECONDS = 5.0
"""How long a client may take to answer; one that does not is taken to use what it holds."""


class ServerState(StrEnum):
    STARTING = "STARTING"  # unpacked, spawned, not listening yet
    RUNNING = "RUNNING"  # listening; given to whoever wants it
    RETIRING = "RETIRING"  # for nobody new; those that use it may finish
    ENDED = "ENDED"  # its processes are dead


class Client(Protocol):
    """An edge process, as a server sees it."""

    def send(self, message: FromHost) -> None:
        """Lost when the client is gone."""


@dataclass(eq=False, kw_only=True, slots=True)
class Server:
    """One Node process of the host, from the wish for it to its end."""

    release_id: str
    state: ServerState = ServerState.STARTING
    starting: asyncio.Task[None] | None = None
    facts: Facts | None = None
    served: bool = False
    """Whether it is, or was, what its branch serves."""
    instance: Instance | None = None
    bundle: Bundle | None = None
    slot: int | None = None
    log: ServerLog | None = None
    leases: dict[int, Client] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    """Of the listening, once there is one."""
    look_again: float = 0.0
    """On the monotonic clock: when it may have been idle for long enough."""
    unleased: float = field(default_factory=time.monotonic)
    """Since when nobody has a lease; only with none."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _kept: list[Kept] = field(default_factory=list)

    def grant(self, number: int, client: Client) -> None:
        self.leases[number] = client
        self._changed.set()

    def given(self, number: int) -> None:
        if self.leases.pop(number, None) is not None and not self.leases:
            self.unleased = time.monotonic()
        self._changed.set()

    def kept(self, answer: Kept) -> None:
        self._kept.append(answer)
        self._changed.set()

    async def all_idle(self, idle_seconds: float) -> bool:
        """Take the leases back of those that were unused for so long; True when none is left.

        Then it is unused, and stays so until the caller awaits something. A client that still uses it says
        when to look again.
        """
        now = time.monotonic()
        if not self.leases:
            self.look_again = self.unleased + idle_seconds
            return now >= self.look_again
        self._kept.clear()
        asked = set(self.leases)
        for number in asked:
            self.leases[number].send(Retire(number, idle_seconds))
        deadline = now + ANSWER_SECONDS
        while self.leases and not self._kept and self.leases.keys() <= asked:
            if not await self._change(deadline):
                break
        idle_for = min((answer.idle_seconds for answer in self._kept), default=0.0)
        self.look_again = time.monotonic() + max(idle_seconds - idle_for, 0.1)
        return not self.leases

    async def all_given(self, seconds: float) -> bool:
        """Take all leases back and wait until the uses under way have ended, so long at most."""
        for number, client in self.leases.items():
            client.send(Retire(number, None))
        deadline = time.monotonic() + seconds
        while self.leases:
            if not await self._change(deadline):
                return False
        return True

    def gone(self) -> None:
        """Tell the clients that it is dead."""
        for number, client in self.leases.items():
            client.send(Gone(number))
        self.leases.clear()
        self._changed.set()

    async def _change(self, deadline: float) -> bool:
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), max(deadline - time.monotonic(), 0))
        except TimeoutError:
            return False
        return True
