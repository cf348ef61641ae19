from __future__ import annotations

import socket

import pytest

from preamp.worker.reach import Reach, is_own_address, system_resolver

NAMES = {
    "www.example.com": frozenset({"203.0.113.7"}),
    "both.example.com": frozenset({"198.51.100.1", "203.0.113.7"}),
    "away.example.com": frozenset({"198.51.100.1"}),
    "edge.example": frozenset({"203.0.113.7", "2001:db8::7"}),
    "local.example.com": frozenset({"127.0.0.1"}),
}


def resolve(host: str) -> frozenset[str]:
    if host == "broken.example.com":
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return NAMES.get(host, frozenset())


@pytest.mark.parametrize("edges", [("edge.example",), ("203.0.113.7",), ("gone.example", "edge.example")])
def test_names_that_lead_to_the_edge(edges: tuple[str, ...]) -> None:
    reach = Reach(edges, resolve)
    assert reach.problem_of("www.example.com") is None
    assert reach.problem_of("both.example.com") is None
    assert "198.51.100.1, which is not this server" in (reach.problem_of("away.example.com") or "")
    assert "does not resolve" in (reach.problem_of("none.example.com") or "")
    assert "Temporary failure" in (reach.problem_of("broken.example.com") or "")


def test_without_edge_names_this_machine_counts() -> None:
    reach = Reach(None, resolve)
    assert reach.problem_of("local.example.com") is None
    assert reach.problem_of("www.example.com") is not None


def test_with_edge_names_this_machine_does_not_count() -> None:
    assert Reach(("edge.example",), resolve).problem_of("local.example.com") is not None
    assert Reach((), resolve).problem_of("local.example.com") is not None


@pytest.mark.parametrize("edge", ["2001:db8:0::7", "2001:DB8::7"])
def test_addresses_are_one_in_any_spelling(edge: str) -> None:
    assert Reach((edge,), lambda _: frozenset({"2001:db8::7"})).problem_of("x.example") is None


def test_a_wildcard_is_asked_for_by_names_below_it() -> None:
    asked: list[str] = []

    def note(host: str) -> frozenset[str]:
        asked.append(host)
        return frozenset({"203.0.113.7"})

    reach = Reach(("203.0.113.7",), note)
    assert reach.problem_of("*.example.com") is None
    assert reach.problem_of("*.example.com") is None
    assert len(set(asked)) == 2
    assert all(host.startswith("preamp-") and host.endswith(".example.com") for host in asked)


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("203.0.113.7", False),
        ("0.0.0.0", False),
        ("::", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("255.255.255.255", False),
        ("2001:db8::7", False),
    ],
)
def test_own_addresses(address: str, own: bool) -> None:
    assert is_own_address(address) is own


def test_the_system_knows_localhost_names_and_admits_ignorance() -> None:
    assert "127.0.0.1" in system_resolver("www.shop.localhost")
    assert system_resolver("127.0.0.1") == {"127.0.0.1"}
    assert system_resolver("a..b") == frozenset()
    assert Reach(None).problem_of("www.shop.localhost") is None
