"""`preamp credentials`: how an app's private repository is reached. Works on the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from preamp.cli.app_reference import app_id_of
from preamp.cli.changing import changing
from preamp.cli.errors import CommandError
from preamp.cli.opened import opened
from preamp.cli.options import data_flag
from preamp.cli.secrets import read_secret


@click.command()
@click.argument("app")
@click.option("--ssh-key", "key", type=click.File("r"), metavar="FILE", help="Use this private key for ssh.")
@click.option("--token", is_flag=True, help="Ask for an access token for https, or read it from stdin.")
@click.option("--forget", is_flag=True, help="Delete what is stored.")
@data_flag
def credentials(app: str, key: IO[str] | None, token: bool, forget: bool, data: Path | None) -> None:
    """Show, set or forget the repository credentials of APP (an id or a name).

    They are encrypted in the data folder and never shown: not to a client, not in a log, not to
    a build. A token may be `user:token`. Submodules of the same host are fetched with them too.
    """
    from preamp.store import apps

    opening = changing if forget or token or key is not None else opened
    with opening(data) as it:
        app_id = app_id_of(it, app)
        given = read_secret("Access token", None).strip() if token else None
        if token and not given:
            raise CommandError("the access token is empty")
        text = key.read() if key is not None else None
        if text is not None and ("PRIVATE KEY-----" not in text or "ENCRYPTED" in text):
            raise CommandError("--ssh-key needs a private key without a passphrase (ssh-keygen -N '')")
        with it.database.write() as tx:
            if forget:
                apps.clear_access_token(tx.conn, app_id)
                apps.set_ssh_key(tx.conn, app_id, None)
            if given:
                apps.set_access_token(tx.conn, app_id, it.master.seal(given, owner=app_id))
            if text is not None:
                sealed = it.master.seal(text, owner=apps.ssh_key_owner(app_id))
                apps.set_ssh_key(tx.conn, app_id, sealed)
        with it.database.read() as conn:
            has = {
                "access token": apps.get_access_token(conn, app_id) is not None,
                "SSH key": apps.get_ssh_key(conn, app_id) is not None,
            }
    for name, there in has.items():
        click.echo(f"{name}: {'stored' if there else 'none'}")
