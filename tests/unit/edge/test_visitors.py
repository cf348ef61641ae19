"""Who asks, and who may."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.guard import Guard
from preamp.edge.networks import NetworkSet, parse_address
from preamp.edge.upstream.addresses import AddressPolicy
from preamp.edge.visitors import Trust
from preamp.model.hosting import AccessList, parse_network


def networks(*texts: str) -> NetworkSet:
    return NetworkSet(map(parse_network, texts))


@given(
    st.lists(
        st.ip_addresses(v=4).flatmap(lambda a: st.integers(0, 32).map(lambda n: f"{a}/{n}")), max_size=8
    ),
    st.ip_addresses(v=4),
)
def test_a_set_of_networks_is_what_the_networks_are(texts, address):
    parsed = [parse_network(text) for text in texts]
    assert (address in NetworkSet(parsed)) is any(address in network for network in parsed)


def test_families_are_kept_apart():
    assert ipaddress.ip_address("::1") not in networks("0.0.0.0/0")
    assert ipaddress.ip_address("0.0.0.1") not in networks("::/0")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("64:ff9b::c000:201", "192.0.2.1"),
        ("2002:c000:0201::", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("localhost", None),
        ("", None),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == (None if address is None else ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("peer", "chain", "address"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "192.0.2.1:80", "192.0.2.1"),
        ("10.0.0.1", " , ,", "10.0.0.1"),
        ("192.0.2.66", "1.2.3.4", "192.0.2.66"),
    ],
)
def test_only_what_trusted_proxies_add_is_believed(peer, chain, address):
    trust = Trust(networks("10.0.0.0/8"))
    assert trust.source(peer, "http", {"x-forwarded-for": chain}).address == address


def test_the_scheme_is_believed_from_proxies_only():
    trust = Trust(networks("10.0.0.0/8"))
    told = {"x-forwarded-proto": "HTTPS"}
    assert trust.source("10.0.0.1", "http", told).scheme == "https"
    assert trust.source("10.0.0.1", "http", {"x-forwarded-proto": "gopher"}).scheme == "http"
    assert trust.source("192.0.2.1", "http", told).scheme == "http"
    assert Trust().source("10.0.0.1", "http", told).scheme == "http"


def test_guards():
    both = Guard(AccessList(allow=("192.0.2.0/24",)), AccessList(deny=("192.0.2.7",)))
    assert both.admits("192.0.2.8")
    assert not both.admits("192.0.2.7")
    assert not both.admits("198.51.100.1")
    assert not both.admits("")
    assert Guard(AccessList(), AccessList()).is_open
    assert Guard().admits("")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:169.254.169.254"),
    ],
)
def test_what_is_not_public_is_not_dialled(address):
    assert not AddressPolicy().allows(address)


def test_public_addresses_and_named_networks_are_dialled():
    assert AddressPolicy().allows("93.184.216.34")
    assert AddressPolicy().allows("2606:2800:220:1::1")
    named = AddressPolicy(networks("127.0.0.0/8"))
    assert named.allows("127.0.0.1")
    assert named.allows("::ffff:127.0.0.1")
    assert not named.allows("10.0.0.1")
