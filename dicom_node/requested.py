"""What the configuration asks of our peers, in the words of the layers below.

One table from the configuration's words to kinds of objects, for everybody.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping

from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicom_node import tls
from dicom_node.config import Config, Destination
from dicom_node.report import phrases
from dicom_node.report.context import Wanted
from dicom_node.report.phrases import Language, Phrases
from dicom_node.sender import Peer
from storage.outbox import Addressee
from storage.states import ObjectKind

KINDS: Mapping[str, ObjectKind] = {
    "sr": ObjectKind.STRUCTURED_REPORT,
    "picture": ObjectKind.PICTURE,
    "pdf": ObjectKind.PRINTOUT,
    "text": ObjectKind.TEXT_REPORT,
}
REPORT_CLASSES: Mapping[str, str] = {
    "comprehensive": ComprehensiveSRStorage,
    "comprehensive-3d": Comprehensive3DSRStorage,
}


def addressee(destination: Destination) -> Addressee:
    """Return a destination as the outbox knows it."""
    return Addressee(
        destination.name,
        destination.shadow,
        frozenset(KINDS[name] for name in destination.objects),
        REPORT_CLASSES[destination.sr_class],
    )


def peer(destination: Destination, secured: ssl.SSLContext | None) -> Peer:
    """Return a destination as the sender knows it; `secured` is used where it asks."""
    return Peer(
        destination.ae_title,
        destination.host,
        destination.port,
        tls=secured if destination.tls else None,
        tls_name=destination.tls_name,
    )


def asked_peer(config: Config, secured: ssl.SSLContext | None) -> Peer:
    """Return the PACS that is asked about studies, likewise."""
    asked = config.completeness
    return Peer(
        asked.ae_title,
        asked.host,
        asked.port,
        tls=secured if asked.tls else None,
        tls_name=asked.tls_name,
    )


def outgoing_tls(config: Config) -> ssl.SSLContext | None:
    """Return what our connections to others are secured with, where one is to be.

    Raises
    ------
    ConfigError
        The files of ``[tls]`` do not suit.
    """
    wanted_by = [config.completeness.tls, *(it.tls for it in config.destinations)]
    if config.tls is None or not any(wanted_by):
        return None
    return tls.outbound(config.tls)


def wanted(destinations: Iterable[Destination]) -> Wanted:
    """Return what must be made so that every destination gets what it asks for.

    The usual two even where nobody asks: a later destination is sent nothing old,
    but a person may look for it in the folder of produced files.
    """
    kinds = set(Wanted().kinds)
    comprehensive_3d = False
    for destination in destinations:
        kinds |= {KINDS[name] for name in destination.objects}
        comprehensive_3d |= destination.sr_class == "comprehensive-3d"
    return Wanted(frozenset(kinds), comprehensive_3d)


def phrases_of(config: Config) -> Phrases:
    """Return the narrative's words: the site's own, else the shipped ones.

    Raises
    ------
    ConfigError
        The site's own file is wrong.
    """
    if config.report.phrases is None:
        return phrases.shipped(Language(config.report.language))
    return phrases.load(config.report.phrases)
