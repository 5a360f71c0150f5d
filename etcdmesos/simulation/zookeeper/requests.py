"""What ZooKeeper can be asked, and what it answers: values.  Nothing is carried out here."""

from __future__ import annotations

from attrs import frozen

from etcdmesos.errors import EtcdMesosError

__all__ = [
    "BadVersion",
    "Children",
    "Create",
    "Delete",
    "Exists",
    "Get",
    "NoNode",
    "NodeExists",
    "Refusal",
    "Request",
    "SetData",
    "Stat",
    "Sync",
    "Transaction",
    "Write",
    "Znode",
]


@frozen
class Stat:
    """A znode's state without its data."""

    version: int
    owner: int
    """The session whose end is the znode's; 0 for none."""


@frozen
class Znode:
    """A znode as it is stored, and the answer to Get."""

    data: bytes
    stat: Stat


class Refusal(EtcdMesosError):
    """What was asked is impossible, and nothing was done."""


class NoNode(Refusal):
    """There is no such znode, or no parent for it."""


class NodeExists(Refusal):
    """There is one already."""


class BadVersion(Refusal):
    """Somebody else has written it."""


@frozen
class Exists:
    """Ends in a Stat or None."""

    path: str


@frozen
class Get:
    """Ends in a Znode or NoNode."""

    path: str


@frozen
class Children:
    """Ends in the names of the children, sorted, or NoNode.  Their next change is told."""

    path: str


@frozen
class Sync:
    """What is read after it is as new as its moment."""


@frozen
class Create:
    """Ends in the path, with ten digits at its end if they were asked for."""

    path: str
    data: bytes = b""
    ephemeral: bool = False
    sequence: bool = False


@frozen
class SetData:
    """Ends in the new Stat."""

    path: str
    data: bytes
    version: int


@frozen
class Delete:
    """Ends in None."""

    path: str
    version: int


Write = Create | SetData | Delete


@frozen
class Transaction:
    """All of the writes or none.  Ends in a tuple of their answers, or in the first refusal."""

    writes: tuple[Write, ...]


Request = Exists | Get | Children | Sync | Transaction
