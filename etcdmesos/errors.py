"""Every error this package raises on purpose, sorted by who has to act on it."""

from __future__ import annotations


class EtcdMesosError(Exception):
    """Base of the errors below; its text is one line for the person who reads it."""


class BadUsage(EtcdMesosError):
    """A flag, an address or a file that the user gave is wrong.  Daemons exit with status 2."""

    def __init__(self, text: str) -> None:
        """What `text` quotes of the user's may have many lines; here they become one."""
        super().__init__(" ".join(text.split()))


class Unavailable(EtcdMesosError):
    """Something that this machine should have is missing for now: a name server, a route, room on a
    disk.  Daemons exit with status 1, so that their supervisor starts them again."""


class BadChart(EtcdMesosError):
    """A statechart that must not run: the text names the file, the row and the mistake.  Daemons
    exit with status 2."""


class IllegalEvent(EtcdMesosError):
    """An event that the chart calls impossible in this phase: a bug in whoever sent it."""


class BrokenPromise(EtcdMesosError):
    """The core was about to break one of its own invariants; nothing of the step was let out."""


class StoreError(EtcdMesosError):
    """Base of what a record store raises."""


class StoreUnavailable(StoreError):
    """The store did not answer; nothing was read or written."""


class RecordUnreadable(StoreError):
    """Something is stored that is no record we can read.  It is not the same as no record."""


class RecordTooNew(RecordUnreadable):
    """A newer version wrote what is stored: there is nothing wrong with it, but we cannot read
    it."""


class SaveConflict(StoreError):
    """The stored record is not the one last read: somebody else wrote.  Nothing was written."""


class SaveUnknown(StoreError):
    """The answer to a save was lost: it may have been written or not.  Read again."""
