"""DIMSE messages put together from their fragments, within bounds."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.listening.budget import Share
from dicom_node.listening.commands import StoreCommand, read_store
from dicom_node.listening.fragments import (
    IS_COMMAND,
    IS_LAST,
    Fragment,
    Malformed,
    fragments,
)
from dicom_node.listening.limits import MAX_COMMAND_BYTES

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.dimse_primitives import DimseServiceType

INVALID_PDU = "Evt19"
"""The state machine's event; in every state it aborts the association (PS3.8 9.2)."""


class Unacceptable(Exception):
    """A message is none that we take; the sentence is for the log."""


@dataclass(slots=True)
class Store:
    """A plain C-STORE-RQ; its dataset grows while it comes."""

    context_id: int
    command: StoreCommand
    dataset: bytearray = field(default_factory=bytearray)
    refused: bool = False
    """Whether there was no memory for a part of the dataset."""


@dataclass(slots=True)
class Other:
    """Any other message; pynetdicom puts it together and understands it."""

    context_id: int
    message: DIMSEMessage
    refused: bool = False
    """As of a `Store`."""

    def take(self, assoc: Association, header: int, content: bytes) -> bool:
        """Add a part, and return whether the message is whole."""
        part = P_DATA()
        value = bytes([header]) + content
        part.presentation_data_value_list.append((self.context_id, value))
        return self.message.decode_msg(part, assoc)


@dataclass(frozen=True, slots=True)
class Request:
    """A message that pynetdicom has understood and is to answer."""

    context_id: int
    primitive: DimseServiceType
    refused: bool = False
    """As of a `Store`."""


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
        self._command_set = bytearray()
        self._dataset_bytes = 0
        self._coming: Store | Other | None = None
        """What now comes, once its command set is whole."""
        self._whole: deque[Store | Request] = deque()
        self.begun: float | None = None
        """When the first part of the message that now comes was there (monotonic)."""
        self.failure = ""
        """Why the association must end, in words for the log."""

    def next(self) -> Store | Request | None:
        """Return the next whole message, None where there is none."""
        return self._whole.popleft() if self._whole else None

    def receive(self, body: bytearray) -> None:
        """Take what one P-DATA-TF carries, given without type and length."""
        try:
            for fragment in fragments(body):
                self._take(fragment)
        except Malformed as error:
            self._give_up(f"its PDU of type 4 cannot be decoded ({error})")
        except Unacceptable as error:
            self._give_up(f"{error}")
        # Whatever a peer may have written into a command set: pynetdicom and pydicom
        # raise nearly anything, RecursionError among it.
        except Exception as error:  # noqa: BLE001
            self._give_up(f"its message cannot be understood ({type(error).__name__})")

    def _take(self, fragment: Fragment) -> None:
        if fragment.context_id not in self.assoc._accepted_cx:  # noqa: SLF001
            raise Unacceptable(
                f"presentation context {fragment.context_id} was not accepted"
            )
        if self.begun is None:
            self.begun = time.monotonic()
        if fragment.is_command:
            self._take_command(fragment)
        else:
            self._take_dataset(fragment)

    def _take_command(self, fragment: Fragment) -> None:
        if self._coming is not None:
            raise Unacceptable("its message cannot be understood: two command sets")
        self._command_set += fragment.content
        if len(self._command_set) > MAX_COMMAND_BYTES:
            raise Unacceptable(f"its command set is over {MAX_COMMAND_BYTES} bytes")
        if fragment.is_last:
            self._begin(fragment.context_id, bytes(self._command_set))

    def _begin(self, context_id: int, command_set: bytes) -> None:
        """Understand a whole command set, and see whether a dataset follows."""
        plain = read_store(command_set)
        if plain is not None:
            self._coming = Store(context_id, plain)
            return
        self._coming = Other(context_id, DIMSEMessage())
        if self._coming.take(self.assoc, IS_COMMAND | IS_LAST, command_set):
            self._end(self._coming)

    def _take_dataset(self, fragment: Fragment) -> None:
        coming = self._coming
        if coming is None:
            raise Unacceptable("its message cannot be understood: no command set")
        self._dataset_bytes += len(fragment.content)
        if self._dataset_bytes > self.max_object_bytes:
            megabytes = self.max_object_bytes / 1_048_576
            raise Unacceptable(
                f"its dataset is over {megabytes:.0f} MiB; raise "
                "receiver.max_object_megabytes if such images are to be received"
            )
        self._hold(coming, fragment)
        if fragment.is_last:
            self._end(coming)

    def _hold(self, coming: Store | Other, fragment: Fragment) -> None:
        """Hold a part of a dataset, where there is memory for it.

        Else the message is read to its end, and nothing of its dataset is kept.
        """
        content = fragment.content
        if len(content) and not self.memory.draw(len(content)):
            coming.refused = True
        if isinstance(coming, Other):
            if coming.refused:
                coming.message.data_set = BytesIO()
            part = b"" if coming.refused else bytes(content)
            coming.take(self.assoc, fragment.header, part)
        elif coming.refused:
            coming.dataset = bytearray()
        else:
            coming.dataset += content

    def _end(self, whole: Store | Other) -> None:
        self._forget()
        if isinstance(whole, Store):
            self._whole.append(whole)
            return
        primitive = whole.message.message_to_primitive()
        if isinstance(primitive, C_CANCEL):
            self.memory.give_back()  # what we answer takes too short to be cancelled
        else:
            self._whole.append(Request(whole.context_id, primitive, whole.refused))

    def _forget(self) -> None:
        self._coming = self.begun = None
        self._command_set.clear()
        self._dataset_bytes = 0

    def _give_up(self, failure: str) -> None:
        self._forget()
        self.failure = failure
        self.dul.event_queue.put(INVALID_PDU)
