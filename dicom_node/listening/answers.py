"""What is answered to a whole message."""

from __future__ import annotations

from typing import cast

from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE, N_EVENT_REPORT

from dicom_node.listening.arrivals import Arrival
from dicom_node.listening.commands import store_response
from dicom_node.listening.fragments import in_pdus
from dicom_node.listening.messages import Request, Store

OUT_OF_RESOURCES, RESOURCE_LIMITATION = 0xA700, 0x0213
"""For want of memory: to the one (PS3.4 B.2.3), and to the other (PS3.7 10.1.1.1.8)."""


def arrival_of(assoc: Association, store: Store) -> Arrival:
    """Return the image that came, with what the association says about it."""
    context = assoc._accepted_cx[store.context_id]  # noqa: SLF001
    peer = assoc.requestor
    return Arrival(
        sop_class_uid=store.command.sop_class_uid,
        sop_instance_uid=store.command.sop_instance_uid,
        transfer_syntax_uid=str(context.transfer_syntax[0]),
        calling_ae_title=peer.ae_title.strip(),
        peer_address=peer.address,
        peer_port=peer.port,
        dataset=memoryview(store.dataset),
    )


def stored(assoc: Association, store: Store, status: int) -> bytes:
    """Encode the answer to an image, in as many PDUs as the peer needs."""
    command_set = store_response(store.command, status)
    return in_pdus(store.context_id, command_set, assoc.dimse.maximum_pdu_size)


def short_of_memory(message: Store | Request) -> int | None:
    """Return the status of a message whose dataset was not kept for want of memory.

    None where it was, or where we take no dataset in any case.
    """
    if not message.refused:
        return None
    if isinstance(message, Store):
        return OUT_OF_RESOURCES
    if not message.primitive.is_valid_request:
        return None  # pynetdicom knows what to do with it
    if isinstance(message.primitive, C_STORE):
        return OUT_OF_RESOURCES
    if isinstance(message.primitive, N_EVENT_REPORT):
        return RESOURCE_LIMITATION
    return None


def refuse(assoc: Association, message: Request, status: int) -> None:
    """Answer with a status what pynetdicom has understood."""
    request = cast(C_STORE | N_EVENT_REPORT, message.primitive)
    answer = type(request)()
    answer.MessageIDBeingRespondedTo = request.MessageID
    answer.AffectedSOPClassUID = request.AffectedSOPClassUID
    answer.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
    answer.Status = status
    assoc.dimse.send_msg(answer, message.context_id)
