"""Values that satisfy, or just break, a shape's constraints; from the raw model, not our form of it."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from msgspec.structs import fields

# Shapes with a pattern: a value of exactly n characters that matches, and one that does not.
FITTING = {
    "AppId": lambda n: "d" + "a1" * n if n == 0 else ("d" + "a" * (n - 1)),
    "JobId": lambda n: "1" * n,
    "TTL": lambda n: "5" * n,
    "ResourceArn": lambda n: "arn:aws:amplify:".ljust(n, "x"),
    "SourceUrl": lambda n: "https://".ljust(n, "x"),
    "StackArn": lambda n: "arn:aws:cloudformation:us-east-1:123456789012:stack/a/b".ljust(n, "x"),
    "CertificateArn": lambda n: "arn:aws:acm:us-east-1:123456789012:certificate/a".ljust(n, "x"),
    "WebAclArn": lambda n: "arn:aws:wafv2:".ljust(n, "x"),
    "AutoSubDomainIAMRole": lambda n: "arn:aws:iam::123456789012:role/a".ljust(n, "x"),
    "DomainName": lambda n: ("a" * max(1, n - 4)) + ".com" if n < 64 else "b." + "a" * (n - 6) + ".com",
    "TagKey": lambda n: "k" * n,
    "TagValue": lambda n: "v" * n,
    "Status": lambda n: "404-200"[:n] if n <= 7 else "4" * n,
}
BREAKING = {
    "AppId": ["x123", "dABC", "d-1", "d1\n", " d1", "d"],
    "JobId": ["abc", "1a", "-1", "1\n", "٣"],
    "TTL": ["5m", "-1", " ", "٣"],
    "ResourceArn": ["arn:aws:s3:::x", "xarn:aws:amplify:x", "arn:aws:amplify:a\nb"],
    "SourceUrl": ["ftp://x", "file:///etc/passwd", "xhttps://a", "https://a\rb"],
    "StackArn": ["arn:aws:cloudformation:us-east-1:1234:stack/a/b", "arn:aws:s3:::aaaaaaaaaaaaaaa"],
    "CertificateArn": ["", "arn:aws:acm:us-east-1:123456789012:certificate/", "arn:aws:iam::1"],
    "AutoSubDomainIAMRole": ["role", "arn:aws:iam::1:role/a", "\n"],
    "DomainName": ["", "nodots", "-a.com", "a..com", "a.com/", "exa mple.com"],
    "TagKey": ["aws:x", "a b", "a!b", "ä"],
    "TagValue": ["a!b", "a\x00b", "a#b", "a_b\n"],
    "Status": ["4\n04", "a\u2028bc"],
}
MIN_FIT = {
    "ResourceArn": 16,
    "SourceUrl": 8,
    "StackArn": 55,
    "CertificateArn": 48,
    "WebAclArn": 14,
    "AutoSubDomainIAMRole": 32,
    "DomainName": 5,
    "AppId": 2,
    "JobId": 1,
}


def text(name: str, shape: Mapping[str, Any], length: int) -> str:
    return FITTING[name](length) if name in FITTING else "x" * length


def wire_value(shapes: Mapping[str, Any], name: str) -> Any:
    """A small valid JSON value, structures with their required members only."""
    shape = shapes[name]
    match shape["type"]:
        case "structure":
            return {
                member: wire_value(shapes, shape["members"][member]["shape"])
                for member in shape.get("required", ())
            }
        case "list":
            return [wire_value(shapes, shape["member"]["shape"])]
        case "map":
            return {wire_value(shapes, shape["key"]["shape"]): wire_value(shapes, shape["value"]["shape"])}
        case "string":
            if "enum" in shape:
                return shape["enum"][0]
            return text(name, shape, max(3, shape.get("min", 0), MIN_FIT.get(name, 0)))
        case "boolean":
            return True
        case "integer":
            return shape.get("min", 1)
        case "timestamp":
            return 1600408195.766
    raise AssertionError(shape["type"])


def output_value(shape, target: Any) -> Any:
    """A typed output with every member set, made from our compiled shape and its struct."""
    match shape.kind.value:
        case "structure":
            hints = {field.name: field.type for field in fields(target)}
            assert set(hints) == {m.attribute for m in shape.members}
            return target(
                **{m.attribute: output_value(m.shape, _plain(hints[m.attribute])) for m in shape.members}
            )
        case "list":
            return (output_value(shape.item, typing.get_args(target)[0]),)
        case "map":
            return {"key": output_value(shape.value, typing.get_args(target)[1])}
        case "string":
            if shape.enum:
                return shape.enum[0]
            return text(shape.name, {}, max(3, shape.minimum or 0, MIN_FIT.get(shape.name, 0)))
        case "boolean":
            return True
        case "integer":
            return 1
        case "timestamp":
            return 1600408195.766
    raise AssertionError(shape.kind)


def _plain(hint: Any) -> Any:
    args = [part for part in typing.get_args(hint) if part is not type(None)]
    return args[0] if type(None) in typing.get_args(hint) else hint
