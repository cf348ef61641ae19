"""Skew protection (behaviour reference 7.7): pages that were loaded before a release keep their files.

The deployment id is the padded number of the job, which builds see as `AWS_AMPLIFY_DEPLOYMENT_ID`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from preamp.edge.content import Content, Hit
from preamp.edge.request import Request

HEADER = "x-amplify-dpl"
PARAMETER = "dpl"
COOKIES = ("_dpl", "__dpl")
"""The first is the one that is set."""
_LONGEST = 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Earlier:
    """A release that was served before the current one."""

    job: int
    content: Content
    modified_ms: int

    def asset(self, path: str | None) -> Hit | None:
        """A file of it that is not a page: pages always come from the current release."""
        found = self.content.find(path)
        return found if isinstance(found, Hit) and not is_page(found.file.content_type) else None


def is_page(content_type: str) -> bool:
    return content_type.startswith("text/html")


def wanted_job(request: Request) -> int | None:
    """The deployment that a request names: header before query before cookie; None when it names none."""
    text = request.headers.get(HEADER)
    if text is None and PARAMETER in request.query:
        text = dict(reversed(parse_qsl(request.query))).get(PARAMETER)
    if text is None:
        text = next((request.cookies[name] for name in COOKIES if name in request.cookies), None)
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > _LONGEST:
        return None
    return int(text)


def deployment_id(job: int) -> str:
    return f"{job:010d}"
