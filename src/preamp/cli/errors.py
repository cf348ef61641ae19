"""Exit status: 0 done, 1 the job or the server failed, 2 wrong use or wrong configuration.

Every error is one clear text on standard error that says what is wrong and what to do.
"""

from __future__ import annotations

import errno

import click

FAILED = 1
WRONG_USE = 2


class CommandError(click.ClickException):
    """Wrong use or configuration: nothing was done."""

    exit_code = WRONG_USE


class Failure(click.ClickException):
    """What was asked for was tried and did not work out."""

    exit_code = FAILED


class Unreachable(Failure):
    """The server does not answer; while it restarts this passes by itself."""


def explained(error: Exception) -> click.ClickException | None:
    """The form for the user of an error that the rooms raise on purpose; None: it is a bug of ours."""
    # Imported here: the rooms' modules are slow to load, and loaded anyway when they raise.
    from preamp.build.errors import BuildError
    from preamp.model.errors import DependentServiceFailure
    from preamp.settings import SettingsError
    from preamp.store.folder import FolderError
    from preamp.store.migrate import NewerDataError
    from preamp.store.sealing import SealError

    if isinstance(error, SettingsError | FolderError | NewerDataError | SealError):
        return CommandError(str(error))
    if isinstance(error, BuildError | DependentServiceFailure):
        return Failure(str(error))
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Failure(
            f"the disk is full ({error.filename or 'no file named'}); free some space and try again"
        )
    return None
