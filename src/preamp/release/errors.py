"""Why an output could not become a release. The texts go to the deploy log and the step's reason."""

from __future__ import annotations


class ReleaseError(Exception):
    """The output or upload cannot be published; the text says what, where and what to do."""


class PublishError(ReleaseError):
    """A folder holds something that cannot be served, or too much of it."""


def too_large(size: int, most: int) -> PublishError:
    # The wording of Amplify's own message, which tools look for.
    return PublishError(
        f"The size of the build output ({size}) exceeds the max allowed size of {most} bytes. "
        "Please reduce the size of your build output and try again."
    )


def too_many(path: str, most: int) -> PublishError:
    return PublishError(
        f"the output has more than {most} files (the setting max_release_files), {path} is one too many"
    )


class ArchiveError(ReleaseError):
    """An uploaded zip is refused."""


class VerifyError(ReleaseError):
    """A published release is not complete in the store."""
