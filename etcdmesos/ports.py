"""The doors between the runtime and the outside, as small protocols that adapters fill.

An adapter turns a reply or a callback into one event and hands it to `post`; it never decides and
never blocks the runtime's thread.  Nothing here imports an adapter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

R = TypeVar("R")
E_contra = TypeVar("E_contra", contravariant=True)
C_contra = TypeVar("C_contra", contravariant=True)


class Post(Protocol[E_contra]):
    """Puts an event on the runtime's queue.  Callable from any thread; never blocks, never
    raises."""

    def __call__(self, event: E_contra, /) -> None: ...


class CommandPort(Protocol[C_contra]):
    """Carries out some kinds of commands.

    Every command submitted ends in exactly one event within a limit the adapter states: an
    observation, `CommandDone`, `CommandFailed` (certainly not carried out) or `CommandUnknown`
    (nobody can tell).
    """

    @property
    def carries_out(self) -> tuple[type, ...]:
        """The command classes this port takes; each class belongs to exactly one port."""
        ...

    def submit(self, command: C_contra, /) -> None:
        """Begin `command`.  Must return at once and not raise."""
        ...

    def close(self) -> None:
        """Give up what is under way and stop every thread.  Returns within a few seconds."""
        ...


class RecordStore(Protocol[R]):
    """Keeps one record, with compare-and-set against the version this object last saw.

    Implementations remember that version; a store object is therefore one writer's session.
    """

    def load(self) -> R | None:
        """The stored record, or None when nothing was ever stored.

        Raises StoreUnavailable when the store does not answer, RecordUnreadable when what it holds
        is no record.  Both leave the remembered version alone.
        """
        ...

    def save(self, record: R, /) -> None:
        """Write `record` over the version last seen; returns only once it is durable.

        Raises SaveConflict (not written: somebody else wrote), SaveUnknown (the answer was lost) or
        StoreUnavailable (not written).
        """
        ...

    def close(self) -> None:
        """Release locks and connections."""
        ...


@runtime_checkable
class ErasableStore(RecordStore[R], Protocol[R]):
    """A RecordStore whose record can be taken away; it then holds none."""

    def delete(self) -> None:
        """Remove the record for good.  Raises as `save` does."""
        ...

    def put_aside(self) -> str:
        """Keep what is stored, readable or not, under a new name beside it; returns that name.

        Raises SaveUnknown (the answer was lost) or StoreUnavailable (nothing was done), the latter
        also when nothing is stored.
        """
        ...


Clock = Callable[[], float]
"""Seconds on a clock that never goes back; only differences mean anything."""
