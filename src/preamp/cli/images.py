"""`preamp images`: what builds with the variable `_CUSTOM_IMAGE` see as their system."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.errors import Failure
from preamp.cli.options import data_flag


@click.group()
def images() -> None:
    """Custom images of builds."""


@images.command("import")
@click.argument("reference")
@click.argument(
    "archives",
    nargs=-1,
    required=True,
    metavar="ROOTFS.tar...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@data_flag
def import_(reference: str, archives: tuple[Path, ...], data: Path | None) -> None:
    """Make an image available to builds whose variable `_CUSTOM_IMAGE` is REFERENCE.

    The archives are unpacked over each other, like the layers of an image: what `docker export`
    or `mmdebstrap` writes is one. Without this, skopeo fetches the image when a build asks for it.
    """
    import os

    from preamp.build.images import ImageError, image_folder, images_folder, import_layers
    from preamp.build.sandbox.base import FIRST_UID
    from preamp.cli.changing import changing
    from preamp.store.folder import DataFolder

    owner = (FIRST_UID, FIRST_UID) if os.geteuid() == 0 else None
    with changing(data) as it:
        folder = DataFolder(it.settings.data.absolute())
        place = image_folder(images_folder(folder.images, owner), reference)
        try:
            import_layers(list(archives), place)
        except ImageError as error:
            raise Failure(str(error)) from error
    click.echo(f"{reference} is imported to {place}")
