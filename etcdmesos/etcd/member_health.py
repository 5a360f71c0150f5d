"""What one etcd member says of itself, as a typed value."""

from __future__ import annotations

from attrs import frozen


@frozen(order=True)
class Alarm:
    """One raised alarm.  Every member's Status names all of the cluster's."""

    member_id: str
    """Who raised it; all zeros when etcd cannot tell which member is corrupt."""
    kind: str
    """NOSPACE or CORRUPT."""


@frozen(kw_only=True)
class MemberHealth:
    """A member's own Status (etcd's Maintenance.Status), read without quorum.

    `term` is the term of the last *applied* entry; it can stand still while elections fail.
    Ids are 16 hex digits; `leader` is "" when the member knows none.
    """

    cluster_id: str
    member_id: str
    version: str
    leader: str
    term: int
    commit_index: int
    applied_index: int
    revision: int
    db_size: int
    """Bytes on disk."""
    db_size_in_use: int
    learner: bool
    alarms: tuple[Alarm, ...] = ()
    """Of the whole cluster, sorted."""
    errors: tuple[str, ...] = ()

    @property
    def serving_voter(self) -> bool:
        """A voter that knows a leader.  `/health` is not the test: it is true on a learner."""
        return not self.learner and self.leader != ""
