"""Identifiers, ARNs and host labels. Forms: behaviour reference, section 2."""

from __future__ import annotations

import re
import secrets

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_NOT_LABEL = re.compile(r"[^a-z0-9-]+")
MAX_LABEL = 63


def new_app_id() -> str:
    """`d` and 12 characters of lower-case base 36, such as `d2jvwbzkj7re2`."""
    return "d" + "".join(secrets.choice(_BASE36) for _ in range(12))


def new_release_id() -> str:
    """An opaque id of a release: 16 hexadecimal characters."""
    return secrets.token_hex(8)


def app_arn(*, account: str, region: str, app_id: str) -> str:
    return f"arn:aws:amplify:{region}:{account}:apps/{app_id}"


def branch_arn(*, account: str, region: str, app_id: str, branch: str) -> str:
    """A `/` in the branch name stays literal."""
    return f"{app_arn(account=account, region=region, app_id=app_id)}/branches/{branch}"


def job_arn(*, account: str, region: str, app_id: str, branch: str, number: int) -> str:
    """Ends in the padded job id; the `jobId` member itself is not padded."""
    base = branch_arn(account=account, region=region, app_id=app_id, branch=branch)
    return f"{base}/jobs/{padded(number)}"


def padded(number: int) -> str:
    """A job number as ARNs, `activeJobId` and `AWS_JOB_ID` carry it: ten digits."""
    return f"{number:010d}"


def branch_label(name: str) -> str:
    """The host label of a branch: lower case, other characters to `-`, at most 63 characters.

    May be empty (a name such as `///`): the caller falls back to a numbered label.
    """
    return _NOT_LABEL.sub("-", name.lower()).strip("-")[:MAX_LABEL].strip("-")
