"""Errors an operation can answer with, named as in Amplify's service model.

The wire layer turns `code` into `x-amzn-ErrorType` and looks up the HTTP status in the service
model, so nothing here knows about HTTP.
"""

from __future__ import annotations


class AmplifyError(Exception):
    """An answer the client is meant to see; `message` goes out verbatim (at most 255 characters)."""

    code = "InternalFailureException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(AmplifyError):
    """The request can never succeed as it is."""

    code = "BadRequestException"


class NotFound(AmplifyError):
    """The app, branch, job, ... does not exist in the caller's account and region."""

    code = "NotFoundException"


class ResourceNotFound(AmplifyError):
    """What the tag operations answer instead of `NotFound`."""

    code = "ResourceNotFoundException"


class LimitExceeded(AmplifyError):
    """A quota is used up, or the branch already has an unfinished job. Clients retry these (429)."""

    code = "LimitExceededException"


class DependentServiceFailure(AmplifyError):
    """Something Preamp needs does not work now: disk full, database away. Clients retry these (503)."""

    code = "DependentServiceFailureException"
