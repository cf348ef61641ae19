"""The handlers of the standard chain, in their order: from the route to the encoded answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from preamp.aws.authenticate import Authenticator
from preamp.aws.authorise import Authoriser
from preamp.aws.bind import compile_binder
from preamp.aws.chain import Exchange, Handler
from preamp.aws.errors import WireError
from preamp.aws.http import HttpResponse
from preamp.aws.parse import parse
from preamp.aws.percent import decode_query
from preamp.aws.router import Router
from preamp.aws.serialise import compile_serialiser
from preamp.aws.service import ModelError, Service
from preamp.aws.validate import validate
from preamp.model.caller import Caller
from preamp.model.errors import BadRequest

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationBinding:
    """What an operation of the model is done by."""

    function: Callable[[Caller, Any], Any]
    """Takes the caller and an `input_type`, returns an `output_type`; raises AmplifyError for answers."""
    input_type: type
    output_type: type
    inline: bool = False
    """Run on the event loop instead of in the pool: only for what takes microseconds and never waits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compiled:
    bind: Callable[[Mapping[str, Any]], Any]
    function: Callable[[Caller, Any], Any]
    serialise: Callable[[Any], bytes]


def routing(router: Router) -> list[Handler]:
    """Before the body is read: `route`."""

    def route(exchange: Exchange) -> None:
        request = exchange.request
        exchange.match = router.match(request.method, request.raw_path)
        exchange.request = replace(request, query=decode_query(request.raw_query))

    return [route]


def processing(
    service: Service,
    operations: Mapping[str, OperationBinding],
    *,
    authenticator: Authenticator,
    authoriser: Authoriser | None,
    endpoint: str | None,
) -> list[Handler]:
    """After the body is read: `authenticate, bound, check, authorise, call`.

    Raises ModelError when a binding is for no operation of the model or its types do not mirror the shapes.
    """
    if unknown := set(operations) - set(service.operations):
        raise ModelError(f"the model has no operations {', '.join(sorted(unknown))}")
    compiled = {
        name: _Compiled(
            bind=compile_binder(service.operations[name].input, binding.input_type),
            function=binding.function,
            serialise=compile_serialiser(service.operations[name].output, binding.output_type),
        )
        for name, binding in operations.items()
    }

    def authenticate(exchange: Exchange) -> None:
        exchange.identity = identity = authenticator(exchange.request)
        exchange.caller = Caller(
            scope=identity.scope,
            access_key_id=identity.key.access_key_id,
            arn=identity.arn,
            request_id=exchange.request_id,
            endpoint=endpoint or _endpoint(exchange),
        )

    def bound(exchange: Exchange) -> None:
        if exchange.operation not in compiled:
            raise WireError(
                "NotImplementedException", f"{exchange.operation} is not implemented by this server"
            )

    def check(exchange: Exchange) -> None:
        assert exchange.match is not None
        operation = exchange.match.operation
        exchange.document = parse(exchange.request, exchange.match)
        validate(operation.input, exchange.document)
        exchange.input = compiled[operation.name].bind(exchange.document)

    def authorise(exchange: Exchange) -> None:
        if authoriser is not None:
            assert exchange.identity is not None
            assert exchange.operation is not None
            authoriser.check(exchange.identity, operation=exchange.operation, request=exchange.input)

    def call(exchange: Exchange) -> None:
        assert exchange.match is not None
        assert exchange.caller is not None
        operation = exchange.match.operation
        done_by = compiled[operation.name]
        exchange.output = done_by.function(exchange.caller, exchange.input)
        exchange.response = HttpResponse(
            status=operation.status,
            headers={"x-amzn-requestid": exchange.request_id},
            body=done_by.serialise(exchange.output),
        )

    return [authenticate, bound, check, authorise, call]


def _endpoint(exchange: Exchange) -> str:
    """Where the client reached us. The host is the client's word, hence the check: it ends up in URLs."""
    hosts = exchange.request.headers.all("host")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise BadRequest("The request must have one valid Host header")
    return f"{exchange.request.scheme}://{hosts[0]}"
