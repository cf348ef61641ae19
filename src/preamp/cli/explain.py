"""`preamp explain`: what a URL is answered with, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from preamp.cli.options import data_flag, json_flag, print_json


@click.command()
@click.argument("url")
@click.option("--method", default="GET", show_default=True, help="Of the request.")
@click.option("--country", metavar="CC", help="The visitor's, for rules with a condition.")
@click.option("--address", metavar="IP", help="The visitor's, for lists of addresses.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="LINE", help="Of the request, `Name: value`."
)
@data_flag
@json_flag
def explain(
    url: str,
    method: str,
    country: str | None,
    address: str | None,
    headers: tuple[str, ...],
    data: Path | None,
    as_json: bool,
) -> None:
    """Tell which release, rule and file answer URL, and why.

    Nothing is fetched: the running server is asked what it would do. Basic authentication and
    lists of addresses are passed over unless --header and --address say who visits.
    """
    from preamp.cli.connection import find_endpoint
    from preamp.cli.remote import Remote

    parameters = [("url", url), ("method", method)]
    parameters += [("country", country)] if country else []
    parameters += [("address", address)] if address else []
    parameters += [("header", line) for line in headers]
    found = Remote(find_endpoint(data)).own("/_preamp/explain", parameters)
    if as_json:
        print_json(found)
    else:
        for line in _lines(found):
            click.echo(line)


def _lines(found: dict[str, Any]) -> list[str]:
    release = f"{found['release']} (job {found['job']})" if found["release"] else "none yet"
    lines = [
        f"host      {found['host']}",
        f"app       {found['app_id']}",
        f"branch    {found['branch']}",
        f"release   {release}",
        f"decided   {found['decided_by']}",
    ]
    if found["rule"] is not None:
        lines.append(f"rule      {found['rule']}: {found['rule_text']}")
    if found["route"] is not None:
        lines.append(f"route     {found['route']}: {found['route_text']}")
    if found["file"] is not None:
        lines.append(f"file      {found['file']}")
    if found["forwards_to"] is not None:
        lines.append(f"forwards  {found['forwards_to']}")
    elif found["status"] is None:
        lines.append(f"status    is for {found['asks']} to say")
    else:
        lines.append(f"status    {found['status']}")
    lines += [f"header    {name}: {value}" for name, value in found["headers"]]
    lines += [
        f"not       {rule['number']}: {rule['source']} {rule['status']}: {rule['reason']}"
        for rule in found["skipped"]
    ]
    if found["more_skipped"]:
        lines.append(f"          and {found['more_skipped']} further rules")
    return lines
