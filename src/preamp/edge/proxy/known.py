"""Answers of another server that were seen before: the next one may differ from the last in its body only."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.edge.accesslog import head_size, result_of
from preamp.edge.request import Request
from preamp.edge.tallies import Source, Tallies, Tally
from preamp.edge.upstream.connection import ResponseHead
from preamp.store.access_logs import AccessLog, RepeatedLine, Repetition

LONGEST_HEAD = 2048
"""Bytes of an answer's head that is remembered."""
Pairs = list[tuple[bytes, bytes]]
Told = tuple[bytes | None, bytes | None, bytes | None, bytes | None]
"""The request's headers `Cookie`, `Referer`, `User-Agent` and `X-Forwarded-For`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """An answer, and what became of its head."""

    head: bytes
    """As it came."""
    total: int
    """Bytes of head and body; 0: what comes next cannot be compared with it."""
    status: int
    lines: bytes
    """Of the head as it was sent."""
    sent: int
    tally: Tally
    line: RepeatedLine | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What is counted and logged of the answers to requests with one key of the memo."""

    request: Request
    """One of them."""
    app_id: str
    name: str
    """Of the access log."""
    access_log: AccessLog | None
    tallies: Tallies

    def know(self, found: ResponseHead, headers: Pairs, data: bytes, body: bytes) -> Known:
        """`data`: all that came, where it came at once; `headers`: as they were sent."""
        end = data.find(b"\r\n\r\n") + 4
        own = dict(headers)
        length = own.get(b"content-length")
        # One head, one body of the length that it says, and nothing that tells how the connection goes on.
        comparable = (
            found.has_length
            and end <= LONGEST_HEAD
            and data[end:] == body
            and length == str(len(body)).encode()
            and found.status not in {204, 304}
            and b"connection" not in own
            and b"transfer-encoding" not in own
        )
        sent = head_size(headers) + len(body)
        line = None
        if self.access_log is not None:
            line = self.access_log.repeated(
                self.app_id,
                self.name,
                host=self.request.authority,
                method=self.request.method,
                path=self.request.raw_path,
                query=self.request.query,
                status=found.status,
                result=result_of(found.status, forwarded=True),
                sent=sent,
                content_type=own.get(b"content-type", b"").decode("latin-1"),
                content_length=None if length is None else int(length),
                protocol=self.request.scheme,
            )
        return Known(
            head=data[:end],
            total=len(data) if comparable else 0,
            status=found.status,
            lines=b"".join([b"%b: %b\r\n" % pair for pair in headers]),
            sent=sent,
            tally=self.tallies.of(found.status, Source.FORWARDED),
            line=line,
        )

    def line(self, known: Known, told: Told, *, received: int) -> Repetition | None:
        """For requests in the same words; `received`: their bytes."""
        if self.access_log is None or known.line is None:
            return None
        cookie, referer, user_agent, chain = told
        return self.access_log.wording(
            known.line,
            received=received,
            referer=referer,
            user_agent=user_agent,
            cookie=cookie,
            forwarded_for=chain,
        )
