"""What every target can do, and the one error they raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from etcdmesos.adapters.http_exchange import Limits
from etcdmesos.errors import EtcdMesosError
from etcdmesos.orders import WayIn

SMALL_BYTES = 1024 * 1024
"""The most that is read into memory at once: manifests, listings of one page."""
SHORT = Limits(idle=10.0, total=30.0)
"""For everything that carries no snapshot."""
IDLE_SECONDS = 30.0
"""How long nothing of a snapshot may come when it is read back."""


class TargetFailed(EtcdMesosError):
    """The target refused, or did not answer.  One line; holds nothing that lets somebody in."""


class Target(Protocol):
    """Files of one cluster, by name.  Every call is bounded in time and raises TargetFailed.

    A file that was not written to its end may or may not be there; that is why a snapshot counts
    only once its manifest is.  May be used from one thread at a time.
    """

    def way_in(self, file: str, *, size: int, seconds: float) -> WayIn:
        """How somebody without credentials sends `file`, of about `size` bytes, within `seconds`.

        `size` is a guess; the way takes a good deal more.
        """
        ...

    def finish(self, file: str, way: WayIn, tags: tuple[str, ...]) -> None:
        """Everything was sent; `tags` is what the target answered to each part."""
        ...

    def abandon(self, file: str, way: WayIn) -> None:
        """Nobody will send anything more; nothing of it is to be left."""
        ...

    def files(self) -> tuple[str, ...]:
        """The names of all files, in no order."""
        ...

    def read(self, file: str, *, seconds: float) -> AbstractContextManager[Iterator[bytes]]:
        """The file's blocks.  The iterator raises TargetFailed when it is cut short."""
        ...

    def write(self, file: str, content: bytes) -> None:
        """Write a small file; one of that name is replaced."""
        ...

    def delete(self, file: str) -> None:
        """Remove a file; there being none is no failure."""
        ...
