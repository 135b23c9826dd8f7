"""Who may connect: AE titles and addresses on a list.

An AE title is no proof of identity, anyone can write one; the address narrows it
down, and only TLS with certificates on both sides proves it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AllowList:
    """Calling AE titles and networks that may open an association.

    An empty part allows all: the configuration permits that on a loopback
    address only.
    """

    calling_ae_titles: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def of(cls, titles: tuple[str, ...], addresses: tuple[str, ...]) -> AllowList:
        """Build the list from the configuration's words, checked before."""
        networks = tuple(ipaddress.ip_network(text) for text in addresses)
        return cls(frozenset(titles), networks)

    def refusal(self, calling_ae_title: str, address: str) -> str | None:
        """Return why this peer may not connect, in a sentence, or None."""
        if self.calling_ae_titles and calling_ae_title not in self.calling_ae_titles:
            expected = ", ".join(sorted(self.calling_ae_titles))
            return f"calling AE title {calling_ae_title!r} is not one of: {expected}"
        return self.address_refusal(address)

    def address_refusal(self, address: str) -> str | None:
        """Return why nothing is heard from this address, in a sentence, or None."""
        if self.networks and not self._knows(address):
            expected = ", ".join(str(network) for network in self.networks)
            return f"address {address} is not in: {expected}"
        return None

    def _knows(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self.networks)
