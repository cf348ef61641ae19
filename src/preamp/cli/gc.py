"""`preamp gc`: remove what is kept no longer. The worker does the same once an hour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preamp.engine.weigh import Going
    from preamp.store.sizes import AppSizes


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed, job by job.")
@data_flag
@json_flag
def gc(dry_run: bool, data: Path | None, as_json: bool) -> None:
    """Remove what the settings no longer keep, and unused files.

    Works on the data folder while a server runs on it or not; the worker does the same once an
    hour. What is served is never removed, and no file that came in the last 24 hours. Files that
    several releases have are counted for each.
    """
    from dataclasses import asdict

    from preamp.cli.changing import changing
    from preamp.cli.errors import Failure
    from preamp.cli.opened import opened
    from preamp.engine.collect import collect_garbage
    from preamp.engine.weigh import weigh
    from preamp.model.times import now_ms
    from preamp.store.manifests import ManifestError
    from preamp.store.sizes import app_sizes, job_sizes
    from preamp.store.stores import open_stores

    with (opened if dry_run else changing)(data) as it:
        stores = open_stores(it.settings)
        try:
            found = collect_garbage(stores, it.settings, now=now_ms(), dry_run=dry_run)
            logs = stores.logs.sizes()
            with stores.database.read() as conn:
                jobs = job_sizes(conn, logs)
                going = weigh(conn, found.expired, jobs) if dry_run else []
                left = app_sizes(conn, jobs)
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
        print_json(
            {
                "dryRun": dry_run,
                "removed": counts,
                "jobs": [asdict(item) for item in going],
                "apps": [asdict(item) for item in left],
            }
        )
        return
    _show_going(going)
    for name, count in counts.items():
        click.echo(f"{'would remove' if dry_run else 'removed'} {count:>12} {name}")
    _show_left(left)


def _show_going(going: Sequence[Going]) -> None:
    if going:
        click.echo(f"{'APP':14} {'BRANCH':20} {'JOB':>6} {'RELEASE':>14} {'LOGS':>12} {'ARTIFACTS':>12}")
    for item in going:
        sizes = (
            f"{_bytes(item.release_bytes):>14} {_bytes(item.log_bytes):>12} {_bytes(item.artifact_bytes):>12}"
        )
        note = "  and the job itself" if item.whole else ""
        click.echo(f"{item.app_id:14} {item.branch:20} {item.job:>6} {sizes}{note}")


def _show_left(left: Sequence[AppSizes]) -> None:
    for item in left:
        click.echo(
            f"{item.app_id}: {item.releases} releases, {item.release_bytes} bytes; uploads "
            f"{item.upload_bytes} bytes; artifacts {item.artifact_bytes} bytes; logs {item.log_bytes} bytes"
        )


def _bytes(size: int | None) -> str:
    return "-" if size is None else str(size)
