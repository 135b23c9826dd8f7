"""How storage can fail.

::

    StorageError
    |-- BadKey               a key that could leave the folder it belongs to
    |-- BadUID               a UID too long for anything to be filed under it
    |-- SchemaOutOfDate      the schema is older or newer than this program
    |-- DatabaseUnreachable  no connection, no lock or no space; may be tried again
    |   `-- ConnectionLost   the connection broke; what was committed is not known
    |-- LeaseLost            the work was claimed by somebody else meanwhile
    |-- StudyUnknown         nothing of this study was ever received
    |-- StudyHeld            a person must decide about this study first
    |-- SeveralPatients      a person must say first that they are one
    |-- ImagesRemoved        the study's images are no longer kept
    |-- NotOurs              the data directory or database is another node's
    `-- BackupFailed         a copy could not be made, or differs from what it copies
"""


class StorageError(Exception):
    """Storage failed; the message says of what, and what would cure it."""


class BadKey(StorageError):
    """A key or name is unfit to lie below its root folder."""


class BadUID(StorageError):
    """A UID is too long for anything to be filed under it."""


class SchemaOutOfDate(StorageError):
    """The database's schema and this program do not fit each other."""


class DatabaseUnreachable(StorageError):
    """The database cannot be reached, locked or written; the cause may pass."""


class ConnectionLost(DatabaseUnreachable):
    """The connection broke while it was used: a commit may have taken place or not."""


class LeaseLost(StorageError):
    """The lease is no longer this worker's, so it must not write anything."""


class StudyUnknown(StorageError):
    """The study is not in the database."""


class StudyHeld(StorageError):
    """The study is held until a person has decided about it."""


class SeveralPatients(StorageError):
    """The study's images name several patients, and nobody has said they are one."""


class ImagesRemoved(StorageError):
    """The study was finished, and its images were removed to make room."""


class NotOurs(StorageError):
    """The data directory, or the database, belongs to another installation."""


class BackupFailed(StorageError):
    """The backup is not whole; the message says what is missing."""
