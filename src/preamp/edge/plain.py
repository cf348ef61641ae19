"""Small answers of the edge itself, where no site is concerned or its files cannot be read."""

from __future__ import annotations

from preamp.edge.answer import Answer, make_answer
from preamp.edge.render import OWN_CACHE_CONTROL


def health(head: bool) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return make_answer(200, headers, (b'{"status":"ok","role":"edge"}',), head=head)


def plain(status: int, text: str, head: bool, *, retry: bool = False) -> Answer:
    """`retry`: it may work in a second."""
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": OWN_CACHE_CONTROL}
    if retry:
        headers["Retry-After"] = "1"
    return make_answer(status, headers, (text.encode(),), head=head)


def unavailable(head: bool) -> Answer:
    return plain(503, "503 Service Unavailable: try again in a moment.\n", head, retry=True)
