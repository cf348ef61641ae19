"""Calls of `/_preamp/` endpoints of a control process without its socket."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from preamp.model.keys import Key
from tests.support.control import ENDPOINT, InProcess


def call(
    preamp: InProcess, method: str, path: str, key: Key | None = None, *, sign: bool = True, **query: str
) -> tuple[int, Any]:
    """The status, and the JSON of a success or the text of anything else."""
    key = key or preamp.administrator()
    request = AWSRequest(method=method, url=f"{ENDPOINT}{path}?{urlencode(query, quote_via=quote, safe='')}")
    request.headers["Host"] = "127.0.0.1:7732"
    if sign:
        SigV4Auth(Credentials(key.access_key_id, key.secret), "amplify", "us-east-1").add_auth(request)
    status, _, body = preamp.fetch(method, request.url, headers=dict(request.headers))
    return status, json.loads(body) if status == 200 else body.decode()
