"""Request -> the members of the operation's input, still as the wire has them.

Labels, query and headers are text on the wire; here they become what their shape says, as far as they can.
What cannot be converted stays text, and validation names it. Unknown members are ignored, `null` members
are absent: a client may feed back a whole answer of a newer service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from preamp.aws.errors import WireError
from preamp.aws.http import HttpRequest
from preamp.aws.router import Match
from preamp.aws.service import Kind, Location, Member, Operation, Shape

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
_CONTENT_TYPES = frozenset({"", "application/json", "application/x-amz-json-1.1"})

Document = dict[str, Any]
"""Input members by model name, JSON values. The only place where a request is a dict."""


def parse(request: HttpRequest, match: Match) -> Document:
    """The input members that the request carries.

    Raises WireError SerializationException for a body that is not a JSON object in UTF-8 or has another
    content type. GET and DELETE bodies are not looked at unless the operation has body members.
    """
    operation = match.operation
    body = _body(request, operation)
    document: Document = {}
    for member in operation.input.members:
        value = _value(member, request, match.labels, body)
        if value is not None:
            document[member.name] = value
    return document


def _value(
    member: Member, request: HttpRequest, labels: Mapping[str, str], body: Mapping[str, Any]
) -> Any | None:
    match member.location:
        case Location.BODY:
            return body.get(member.wire_name)
        case Location.URI:
            return _from_text(member.shape, labels[member.wire_name])
        case Location.HEADER:
            text = request.headers.get(member.wire_name.lower())
            return None if text is None else _from_text(member.shape, text)
        case Location.QUERY:
            values = [value for name, value in request.query if name == member.wire_name]
            if not values:
                return None
            if member.shape.item is not None:
                return [_from_text(member.shape.item, value) for value in values]
            return _from_text(member.shape, values[0])


def _from_text(shape: Shape, text: str) -> Any:
    if shape.kind is Kind.INTEGER and _INTEGER.fullmatch(text):
        return int(text)
    if shape.kind in {Kind.FLOAT, Kind.TIMESTAMP} and _NUMBER.fullmatch(text):
        return float(text)
    if shape.kind is Kind.BOOLEAN and text in {"true", "false"}:
        return text == "true"
    return text


def _body(request: HttpRequest, operation: Operation) -> Mapping[str, Any]:
    if not request.body or not any(m.location is Location.BODY for m in operation.input.members):
        return {}
    content_type = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if content_type not in _CONTENT_TYPES:
        raise WireError("SerializationException", "The content type of the body must be application/json")
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError("SerializationException", f"The body is not valid JSON: {error}") from None
    except RecursionError:
        raise WireError("SerializationException", "The body is nested too deeply") from None
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise WireError("SerializationException", "The body must be a JSON object")
    return body
