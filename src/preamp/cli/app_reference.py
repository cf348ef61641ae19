"""Finding an app of a data folder by its id or name, whatever account it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preamp.cli.errors import CommandError

if TYPE_CHECKING:
    from preamp.cli.opened import Opened
    from preamp.model.branches import Branch


def app_id_of(it: Opened, reference: str) -> str:
    """Raises CommandError when there is none, or several of that name."""
    from preamp.store.apps import find_by_id_or_name

    with it.database.read() as conn:
        found = find_by_id_or_name(conn, reference)
    if not found:
        raise CommandError(
            f"{it.settings.data} has no app {reference!r} (an id or a name; `aws amplify list-apps`)"
        )
    if len(found) > 1:
        ids = ", ".join(app_id for app_id, _ in found)
        raise CommandError(f"several apps are called {reference!r}: name one of the ids {ids}")
    return found[0][0]


def branch_of(it: Opened, app_id: str, name: str) -> Branch:
    """Raises CommandError when the app has no such branch."""
    from preamp.store.branches import get_branch

    with it.database.read() as conn:
        found = get_branch(conn, app_id, name)
    if found is None:
        raise CommandError(f"the app {app_id} has no branch {name!r}")
    return found
