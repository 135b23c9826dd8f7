"""Who may connect."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.admission import AllowList

LISTED = AllowList.of(("PACS", "SCANNER"), ("192.0.2.0/24", "2001:db8::/32"))


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "192.0.2.255", "::ffff:192.0.2.9", "2001:db8::1%eth0"]
)
def test_a_listed_title_from_a_listed_network_is_welcome(address: str) -> None:
    assert LISTED.refusal("PACS", address) is None


@pytest.mark.parametrize("title", ["pacs", "PACS2", "", "PAC", "ANY-SCP"])
def test_an_unlisted_title_is_told_what_would_be_welcome(title: str) -> None:
    assert LISTED.refusal(title, "192.0.2.1") == (
        f"calling AE title {title!r} is not one of: PACS, SCANNER"
    )


@pytest.mark.parametrize("address", ["192.0.3.1", "2001:db9::1", "somewhere", ""])
def test_an_unlisted_address_is_told_what_would_be_welcome(address: str) -> None:
    assert LISTED.refusal("PACS", address) == (
        f"address {address} is not in: 192.0.2.0/24, 2001:db8::/32"
    )


def test_empty_lists_welcome_everybody() -> None:
    assert AllowList.of((), ()).refusal("ANYBODY", "198.51.100.1") is None


def test_each_list_counts_without_the_other() -> None:
    titles, networks = AllowList.of(("PACS",), ()), AllowList.of((), ("192.0.2.7",))

    assert titles.refusal("PACS", "198.51.100.1") is None
    assert titles.refusal("OTHER", "192.0.2.7") is not None
    assert networks.refusal("OTHER", "192.0.2.7") is None
    assert networks.refusal("PACS", "192.0.2.8") is not None


@given(st.ip_addresses(v=4))
def test_an_address_is_welcome_where_its_network_is_listed(
    address: ipaddress.IPv4Address,
) -> None:
    inside = address in ipaddress.ip_network("192.0.2.0/24")

    assert (LISTED.refusal("PACS", str(address)) is None) is inside
