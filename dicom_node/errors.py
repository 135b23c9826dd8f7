"""How the node can fail.

::

    NodeError
    |-- ConfigError         config.toml is wrong; names file, key and cure
    |-- InputError          files given by a person are unfit; names them
    |-- QueryFailed         a PACS did not answer a question; nobody waits for it
    |-- GradingInterrupted  the surroundings failed, not the study: tried again
    |-- GradingBroke        the study broke the grading, hung it or killed it
    |-- ChildFailed         a child process gave no answer, and was ended
    |   |-- ChildHung       in the time it had
    |   `-- ChildDied       because it ended
    |       `-- ChildGone   before it heard the question: nothing of it is to blame
    `-- SendError
        |-- PeerUnreachable  tried again, for as long as it takes
        `-- SendRefused      carries the status; see `ContextRefused`
            `-- ContextRefused  the SOP class is not accepted: try the next one
"""


class NodeError(Exception):
    """The node cannot do what it was asked; the message names the cure."""


class ConfigError(NodeError):
    """The configuration is wrong: exit status 78, no restart mends it."""


class InputError(NodeError):
    """What a person named on the command line cannot be used."""


class QueryFailed(NodeError):
    """A PACS was asked and gave no usable answer; it is asked again later."""


class GradingInterrupted(NodeError):
    """Disk, memory or bundle failed while a study was graded; not the study's fault."""


class GradingBroke(NodeError):
    """A study could not be graded and may never be; names types and places only."""


class ChildFailed(NodeError):
    """A child process gave no answer; it was ended, and another may be started."""


class ChildHung(ChildFailed):
    """The time for an answer ran out."""


class ChildDied(ChildFailed):
    """The child ended, by itself or by a signal, or answered nonsense."""


class ChildGone(ChildDied):
    """The child ended before it heard the question, which is not to blame."""


class SendError(NodeError):
    """An object did not reach its destination."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PeerUnreachable(SendError):
    """No association, a time-out, or a status that asks to try again."""


class SendRefused(SendError):
    """The destination answered, and said no: a person must look."""


class ContextRefused(SendRefused):
    """The destination takes no objects of this SOP class."""
