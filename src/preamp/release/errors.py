"""Why an output could not become a release. The texts go to the deploy log and the step's reason."""

from __future__ import annotations


class ReleaseError(Exception):
    """The output or upload cannot be published; the text says what, where and what to do."""


class PublishError(ReleaseError):
    """A folder holds something that cannot be served, or too much of it."""


class ArchiveError(ReleaseError):
    """An uploaded zip is refused."""


class VerifyError(ReleaseError):
    """A published release is not complete in the store."""
