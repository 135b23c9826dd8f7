"""How grading can fail.

::

    GradingError
    |-- NotGradable     sound DICOM, not ours to grade; never retried
    |-- BundleError     missing, damaged, or not accepted by the configuration
    |-- EngineError     cannot compute here what a bundle demands
    |-- UndrawableError no phantom can be what was asked for
    `-- UsageError      arguments of a command that do not fit together
"""


class GradingError(Exception):
    """Grading failed; the message says of what, and what would cure it."""


class NotGradable(GradingError):
    """The study or series is sound DICOM, but not ours to grade.

    The message is a sentence that a radiographer understands. Trying again
    cannot help, so nobody does.
    """


class BundleError(GradingError):
    """A bundle is missing, damaged, or not accepted by the configuration."""


class EngineError(GradingError):
    """An engine is not installed, or does not compute what it should."""


class UndrawableError(GradingError):
    """What was asked of the phantom cannot be drawn."""


class UsageError(GradingError):
    """The arguments of a command do not fit together."""
