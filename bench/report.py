"""Tables of results and the few statistics that they need."""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Iterable, Sequence

from bench.run import SKIPPED


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, which reads well on a terminal and in a note."""
    text = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(headings), *text]) for column in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        return " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])

    print(f"\n{title}\n\n| {line(headings)} |")
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in text:
        print(f"| {line(row)} |")
    sys.stdout.flush()


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.2f}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def need(program: str) -> str:
    """The path of a program, or the end of this bench."""
    found = shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")
    if found is None:
        print(f"not measured: {program} is missing (Debian: apt install {program})")
        sys.exit(SKIPPED)
    return found
