"""The znodes: versions, sequence numbers, ephemeral owners.  No session lives or ends here."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from etcdmesos.simulation.zookeeper.requests import (
    BadVersion,
    Children,
    Create,
    Delete,
    Exists,
    Get,
    NodeExists,
    NoNode,
    Request,
    SetData,
    Stat,
    Sync,
    Transaction,
    Write,
    Znode,
)

__all__ = ["Tree", "parent_of"]

SEQUENCE_DIGITS = 10


def parent_of(path: str) -> str:
    """The path one level up; that of the root is ""."""
    return path.rpartition("/")[0]


@define
class Tree:
    """All znodes by path.  The root is there."""

    znodes: dict[str, Znode] = field(factory=lambda: {"": Znode(b"", Stat(0, 0))})
    _made: dict[str, int] = field(factory=dict)
    """How many children each ever had: the next sequence number."""

    def answer(self, request: Request, session: int) -> Any:
        """The answer to a session's request.  Raises Refusal."""
        if isinstance(request, Transaction):
            return self._all_or_none(request, session)
        if isinstance(request, Sync):
            return None
        znode = self.znodes.get(request.path)
        if isinstance(request, Exists):
            return None if znode is None else znode.stat
        if znode is None:
            raise NoNode(request.path)
        if isinstance(request, Children):
            return self.children(request.path)
        assert isinstance(request, Get)
        return znode

    def children(self, path: str) -> tuple[str, ...]:
        """Names, sorted."""
        return tuple(
            sorted(p.rpartition("/")[2] for p in self.znodes if p and parent_of(p) == path)
        )

    def owned_by(self, session: int) -> tuple[str, ...]:
        """The ephemeral znodes of a session."""
        return tuple(path for path, znode in self.znodes.items() if znode.stat.owner == session)

    def remove(self, path: str) -> None:
        """Whatever its version is."""
        del self.znodes[path]

    def _all_or_none(self, transaction: Transaction, session: int) -> tuple[Any, ...]:
        before, made = dict(self.znodes), dict(self._made)
        try:
            return tuple(self._write(write, session) for write in transaction.writes)
        except (NoNode, NodeExists, BadVersion):
            self.znodes, self._made = before, made
            raise

    def _write(self, write: Write, session: int) -> Any:
        if isinstance(write, Create):
            return self._create(write, session)
        znode = self.znodes.get(write.path)
        if znode is None:
            raise NoNode(write.path)
        if znode.stat.version != write.version:
            raise BadVersion(write.path)
        if isinstance(write, Delete):
            self.remove(write.path)
            return None
        assert isinstance(write, SetData)
        stat = Stat(znode.stat.version + 1, znode.stat.owner)
        self.znodes[write.path] = Znode(write.data, stat)
        return stat

    def _create(self, write: Create, session: int) -> str:
        parent = parent_of(write.path)
        if parent not in self.znodes:
            raise NoNode(parent)
        number = self._made.get(parent, 0)
        path = f"{write.path}{number:0{SEQUENCE_DIGITS}}" if write.sequence else write.path
        if path in self.znodes:
            raise NodeExists(path)
        self._made[parent] = number + 1
        self.znodes[path] = Znode(write.data, Stat(0, session if write.ephemeral else 0))
        return path
