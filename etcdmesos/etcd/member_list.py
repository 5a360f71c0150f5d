"""etcd's member list, as typed values."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class ListedMember:
    """One entry of etcd's member list.  The id is 16 hex digits; an unstarted one has no name."""

    id: str
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    learner: bool


@frozen(kw_only=True)
class MemberList:
    """etcd's member list, in the order of ids."""

    cluster_id: str
    members: tuple[ListedMember, ...]

    def at(self, peer_url: str) -> ListedMember | None:
        """The entry with this peer URL."""
        return next((entry for entry in self.members if peer_url in entry.peer_urls), None)

    def entry(self, member_id: str) -> ListedMember | None:
        """The entry with this id."""
        return next((entry for entry in self.members if entry.id == member_id), None)

    @property
    def voters(self) -> int:
        """How many voters it lists."""
        return sum(not entry.learner for entry in self.members)
