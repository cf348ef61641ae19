"""`preamp backup` and `preamp restore`."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.options import data_flag, load_settings

ARCHIVE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=ARCHIVE)
@data_flag
def backup(file: Path, data: Path | None) -> None:
    """Write all that cannot be made anew to FILE, server running or not.

    The database as of one moment, all files that it refers to, logs and the master key, as
    .tar.zst. FILE holds all secrets: only its owner may read it, keep it so.
    """
    from preamp.cli.errors import CommandError, Failure
    from preamp.store.backup import BackupError, make_backup
    from preamp.store.folder import DataFolder

    settings = load_settings(data=data)
    if settings.database is not None or settings.blobs is not None:
        raise CommandError("with PostgreSQL and S3, back these up with their own tools: pg_dump, versioning")
    folder = DataFolder(settings.data.absolute())
    if not folder.database.exists():
        raise CommandError(f"there is nothing to back up in the data folder {folder.root}")
    try:
        size = make_backup(folder, file.absolute())
    except BackupError as error:
        raise Failure(str(error)) from error
    click.echo(f"{file}: {size} bytes")


@click.command()
@click.argument("file", type=ARCHIVE)
@data_flag
def restore(file: Path, data: Path | None) -> None:
    """Make a data folder from FILE, a backup; the folder is new or empty.

    Jobs that ran when the backup was made run again when a server starts on it.
    """
    from preamp.cli.changing import changing
    from preamp.cli.errors import CommandError, Failure
    from preamp.store.backup import BackupError, restore_backup
    from preamp.store.folder import DataFolder

    settings = load_settings(data=data)
    if settings.database is not None or settings.blobs is not None:
        raise CommandError("with PostgreSQL and S3, restore these with their own tools")
    folder = DataFolder(settings.data.absolute())
    try:
        restore_backup(file.absolute(), folder)
    except BackupError as error:
        raise Failure(str(error)) from error
    with changing(data):
        pass  # the restored audit log tells of it
    click.echo(f"{folder.root} is restored; start it with `preamp serve --data {folder.root}`")
