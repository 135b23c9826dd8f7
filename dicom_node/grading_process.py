"""The process that grades, as the worker sees it: set up, asked, bounded, replaced.

A study that hangs it, kills it or breaks it costs that process and one attempt of
that study; a process that ends before it has seen the study costs none. A GPU that is
unusable after an error is usable by the next process.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from dicom_node.children import Child
from dicom_node.errors import (
    ChildFailed,
    ChildGone,
    GradingBroke,
    GradingInterrupted,
    NodeError,
)
from dicom_node.orders import (
    Answer,
    Broke,
    Interrupted,
    Made,
    NotOurs,
    Order,
    Ready,
    SetUp,
    Unfit,
)
from grading.errors import BundleError, NotGradable

START_SECONDS = 280.0
"""Loading torch and the bundle from a slow disk; below the unit's TimeoutStartSec."""
WORDS = ("-m", "dicom_node", "grading-process")


@dataclass(slots=True)
class GradingProcess:
    """A `StudyMaker` whose work is done by a child that holds the bundle."""

    config: bytes
    """What the child is set up with, whenever it is started."""
    timeout_seconds: float
    """How long one study may take."""
    words: tuple[str, ...] = WORDS
    child: Child[Answer] = field(init=False)

    def __post_init__(self) -> None:
        self.child = Child(self.words, msgspec.msgpack.Decoder(Answer))

    def start(self) -> Ready:
        """Start the child, and return what it grades with.

        Raises
        ------
        BundleError
            The bundle, or what the configuration says of it, is at fault.
        NodeError
            The child cannot be started.
        """
        try:
            answer = self.child.ask(SetUp(self.config), START_SECONDS)
        except ChildFailed as error:
            raise NodeError(f"the grading process does not start: {error}") from error
        except OSError as error:  # no descriptor, process or memory for it
            reason = error.strerror or type(error).__name__
            raise NodeError(f"the grading process does not start: {reason}") from error
        if isinstance(answer, Ready):
            return answer
        self.child.close()
        if isinstance(answer, Unfit) and answer.configured:
            raise BundleError(answer.reason)
        reason = answer.reason if isinstance(answer, Unfit) else "nonsense"
        raise NodeError(f"the grading process cannot be set up: {reason}")

    def make(self, order: Order) -> Made:
        """Have a study graded and its objects written; raises as `StudyMaker.make`."""
        if not self.child.running:  # also where the kernel took it between two studies
            self._start_again()
        try:
            answer = self.child.ask(order, self.timeout_seconds, start=False)
        except ChildGone as error:
            raise GradingInterrupted(f"{error} before it saw the study") from error
        except ChildFailed as error:
            raise GradingBroke(str(error)) from error
        if isinstance(answer, Made):
            return answer
        if isinstance(answer, NotOurs):
            raise NotGradable(answer.reason)
        if isinstance(answer, Interrupted):
            raise GradingInterrupted(answer.reason)
        # After an error nobody foresaw its GPU may be unusable for every later study.
        self.child.close()
        raise GradingBroke(answer.reason if isinstance(answer, Broke) else "nonsense")

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self.child.close()

    def _start_again(self) -> None:
        self.child.close()
        try:
            self.start()
        except (BundleError, NodeError) as error:
            raise GradingInterrupted(str(error)) from error
