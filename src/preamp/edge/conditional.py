"""Conditional requests (RFC 9110, section 13). ETags are strong and come from the content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from enum import Enum
from functools import lru_cache

from preamp.edge.request import Request
from preamp.model.releases import Body

_TAG = re.compile(r'\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')


class Verdict(Enum):
    SEND = "send"  # the whole answer
    NOT_MODIFIED = "not modified"  # 304
    FAILED = "failed"  # 412


def etag(body: Body) -> str:
    """Another for each encoding, since the twins are other bytes."""
    return f'"{body.blob[:32]}"'


@lru_cache(maxsize=4096)
def http_date(ms: int) -> str:
    return formatdate(ms // 1000, usegmt=True)


def judge(request: Request, tag: str, modified: str) -> Verdict:
    """In the order of RFC 9110, 13.2.2.

    Dates are compared for equality: after a rollback the older release has the older date, and "not
    modified since" would then be true of content the client does not have.
    """
    return judge_headers(request.headers, tag, modified)


def judge_headers(headers: Mapping[str, str], tag: str, modified: str) -> Verdict:
    """As `judge`, for the headers of a request by lower-case name."""
    match = headers.get("if-match")
    if match is not None:
        if not _listed(match, tag, weak=False):
            return Verdict.FAILED
    elif headers.get("if-unmodified-since", modified) != modified:
        return Verdict.FAILED
    none_match = headers.get("if-none-match")
    if none_match is not None:
        return Verdict.NOT_MODIFIED if _listed(none_match, tag, weak=True) else Verdict.SEND
    if headers.get("if-modified-since") == modified:
        return Verdict.NOT_MODIFIED
    return Verdict.SEND


def range_still_valid(request: Request, tag: str, modified: str) -> bool:
    """Whether `If-Range` lets a range be sent."""
    condition = request.headers.get("if-range")
    return condition is None or condition.strip() in {tag, modified}


def _listed(value: str, tag: str, *, weak: bool) -> bool:
    if value.strip() == "*":
        return True
    position = 0
    while found := _TAG.match(value, position):
        if found[2] == tag and (weak or not found[1]):
            return True
        if found.end() == len(value):
            break
        position = found.end()
    return False
