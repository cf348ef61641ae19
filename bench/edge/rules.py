"""What an app's rules cost when a request is decided: with none, 10,000 and 50,000 of them."""

from __future__ import annotations

import time

from preamp.edge.request import Request
from preamp.edge.rules.book import RuleBook
from preamp.model.apps import CustomRule

COUNTS = (0, 10_000, 50_000)
DECISIONS = 20_000


def rule_costs() -> list[list[object]]:
    """Rows of: rules, microseconds of one decision, seconds to compile."""
    return [[f"{count:,}", *_cost(count)] for count in COUNTS]


def _cost(count: int) -> tuple[float, float]:
    rules = [
        CustomRule(source=f"/old/{n}/<*>" if n % 10 == 0 else f"/old/{n}", target=f"/new/{n}", status="301")
        for n in range(count)
    ]
    begun = time.perf_counter()
    book = RuleBook(rules)
    compiled = time.perf_counter() - begun
    requests = [
        Request(
            method="GET",
            scheme="http",
            authority="main.dbench.localhost",
            raw_path=f"/old/{n}/x" if n % 2 else f"/page/{n}",
            query="",
            headers={},
        )
        for n in range(DECISIONS)
    ]
    begun = time.process_time()
    for request in requests:
        next(book.before_files(request), None)
    return (time.process_time() - begun) / DECISIONS * 1e6, compiled
