"""Errors on the wire: code -> HTTP status, and the answer itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from preamp.aws.http import HttpResponse
from preamp.aws.service import Service
from preamp.model.errors import AmplifyError

MAX_MESSAGE = 255
"""Characters; the model's limit of an error message."""

UNMODELLED_STATUS: Mapping[str, int] = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 400,
    "InternalFailureException": 500,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    # 501 and not 500 or 503: clients retry those, and asking again does not help
    "NotImplementedException": 501,
    "RequestEntityTooLargeException": 413,
    "RequestExpired": 400,
    "SerializationException": 400,
    "SignatureDoesNotMatch": 403,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
}
"""Errors every AWS service can answer although no service's model has them."""


class WireError(AmplifyError):
    """An error of the wire layer itself; `code` is one of `UNMODELLED_STATUS` or of the model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ErrorCodes:
    """The errors of one service; knows the HTTP status of each."""

    def __init__(self, service: Service) -> None:
        self._modelled = service.error_status
        self._status = {**UNMODELLED_STATUS, **service.error_status}
        self._with_code = {
            name
            for name in service.error_status
            if name in service.shapes and any(m.name == "code" for m in service.shapes[name].members)
        }

    def status(self, code: str) -> int:
        """Raises KeyError for a code nobody has defined: a programming error."""
        return self._status[code]

    def response(self, error: AmplifyError, *, request_id: str) -> HttpResponse:
        """The answer for `error`: status, `x-amzn-ErrorType`, `{"message": ...}`.

        A modelled error's message is cut at the model's limit; an error whose shape has a `code` (the tag
        operations' ResourceNotFoundException) repeats its code there.
        """
        message = error.message
        if error.code in self._modelled and len(message) > MAX_MESSAGE:
            message = message[: MAX_MESSAGE - 3] + "..."
        body = {"message": message}
        if error.code in self._with_code:
            body["code"] = error.code
        return HttpResponse(
            status=self.status(error.code),
            headers={"x-amzn-requestid": request_id, "x-amzn-errortype": error.code},
            # A client may have put half a surrogate pair into what the message repeats.
            body=msgspec.json.encode({k: v.encode("utf-8", "replace").decode() for k, v in body.items()}),
        )

    def unexpected(self, *, request_id: str) -> HttpResponse:
        """The answer when our own code failed: no details, the request id leads to the log."""
        error = WireError(
            "InternalFailureException",
            f"An internal failure occurred. The server's log has it under request id {request_id}.",
        )
        return self.response(error, request_id=request_id)
