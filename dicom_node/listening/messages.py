"""DIMSE messages put together from P-DATA, within bounds."""

from __future__ import annotations

import time
from io import BytesIO
from typing import TYPE_CHECKING, cast

from pynetdicom import evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.listening.budget import Share
from dicom_node.listening.limits import MAX_COMMAND_BYTES

if TYPE_CHECKING:
    from pynetdicom.association import Association

IS_COMMAND = 0x01
"""Bit of the message control header (PS3.8 E.2)."""
INVALID_PDU = "Evt19"
"""The state machine's event; in every state it aborts the association (PS3.8 9.2)."""


class Unacceptable(Exception):
    """A message is none that we take; the sentence is for the log."""


class Messages(DIMSEServiceProvider):
    """Puts messages together in the association's own thread.

    What cannot be understood aborts the association, and nothing else.
    """

    max_object_bytes: int
    """Of a dataset; set by the association."""
    memory: Share
    """Of the budget of all associations; likewise."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._command_bytes = self._dataset_bytes = 0
        self.begun: float | None = None
        """When the first part of the message that now comes was there (monotonic)."""
        self.failure = ""
        """Why the association must end, in words for the log."""

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one PDU; a whole message goes to `msg_queue`."""
        try:
            self._count(primitive)
            self._assemble(primitive)
        except Unacceptable as error:
            self._give_up(f"{error}")
        # Whatever a peer may have written into a command set: pynetdicom and pydicom
        # raise nearly anything, RecursionError among it.
        except Exception as error:  # noqa: BLE001
            self._give_up(f"its message cannot be understood ({type(error).__name__})")

    def _count(self, primitive: P_DATA) -> None:
        before = self._dataset_bytes
        for context_id, fragment in primitive.presentation_data_value_list:
            if context_id not in self.assoc._accepted_cx:  # noqa: SLF001
                raise Unacceptable(
                    f"presentation context {context_id} was not accepted"
                )
            if fragment[0] & IS_COMMAND:
                self._command_bytes += len(fragment) - 1
            else:
                self._dataset_bytes += len(fragment) - 1
        if self._command_bytes > MAX_COMMAND_BYTES:
            raise Unacceptable(f"its command set is over {MAX_COMMAND_BYTES} bytes")
        if self._dataset_bytes > self.max_object_bytes:
            megabytes = self.max_object_bytes / 1_048_576
            raise Unacceptable(
                f"its dataset is over {megabytes:.0f} MiB; raise "
                "receiver.max_object_megabytes if such images are to be received"
            )
        if self._dataset_bytes > before:
            self.memory.draw(self._dataset_bytes - before)

    def _assemble(self, primitive: P_DATA) -> None:
        if self.message is None:
            self.message, self.begun = DIMSEMessage(), time.monotonic()
        message = self.message
        whole = message.decode_msg(primitive, self.assoc)
        if self.memory.is_refused:
            message.data_set = BytesIO()  # it is read to its end, and nothing is kept
        if not whole:
            return
        self.message = self.begun = None
        self._command_bytes = self._dataset_bytes = 0
        evt.trigger(self.assoc, evt.EVT_DIMSE_RECV, {"message": message})
        request = message.message_to_primitive()
        if isinstance(request, C_CANCEL):
            self.memory.give_back()  # what we answer takes too short to be cancelled
        else:
            self.msg_queue.put((cast(int, message.context_id), request))

    def _give_up(self, failure: str) -> None:
        self.message = self.begun = None
        self.failure = failure
        self.dul.event_queue.put(INVALID_PDU)
