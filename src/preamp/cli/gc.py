"""`preamp gc`: remove what is kept no longer. The worker does the same once an hour."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.options import data_flag, json_flag, print_json


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@data_flag
@json_flag
def gc(dry_run: bool, data: Path | None, as_json: bool) -> None:
    """Remove what the settings no longer keep, and unused files.

    Works on the data folder while a server runs on it or not; the worker does the same once an
    hour. What is served is never removed, and no file that came in the last 24 hours.
    """
    from dataclasses import asdict

    from preamp.cli.changing import changing
    from preamp.cli.errors import Failure
    from preamp.cli.opened import opened
    from preamp.engine.collect import collect_garbage
    from preamp.model.times import now_ms
    from preamp.store.garbage import sizes
    from preamp.store.manifests import ManifestError
    from preamp.store.stores import open_stores

    with (opened if dry_run else changing)(data) as it:
        stores = open_stores(it.settings)
        try:
            found = collect_garbage(stores, it.settings, now=now_ms(), dry_run=dry_run)
            with stores.database.read() as conn:
                left = sizes(conn)
        except ManifestError as error:
            raise Failure(f"no file was removed: {error}") from error
        finally:
            stores.close()
    counts = {
        "jobs": len(found.expired.jobs),
        "releases": len(found.expired.releases),
        "logs": len(found.expired.logs) + len(found.logs),
        "artifacts": len(found.expired.artifacts),
        "files": len(found.blobs.blobs),
        "bytes": found.blobs.size,
    }
    if as_json:
        print_json({"dryRun": dry_run, "removed": counts, "apps": [asdict(item) for item in left]})
        return
    for name, count in counts.items():
        click.echo(f"{'would remove' if dry_run else 'removed'} {count:>12} {name}")
    for item in left:
        click.echo(
            f"{item.app_id}: {item.releases} releases, {item.release_bytes} bytes; uploads "
            f"{item.upload_bytes} bytes; test artifacts {item.artifact_bytes} bytes"
        )
