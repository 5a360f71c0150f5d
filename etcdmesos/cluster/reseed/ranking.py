"""Who becomes the seed: the held members in the order in which they are tried.

The highest commit index first, then the applied index, then the revision; all of one cluster id.
The commit index is what the stopped member's own log says, or what its snapshot shows to be
committed, whichever is higher: a log may lag behind what was applied.
"""

from __future__ import annotations

from attrs import frozen

from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.standing import STOPPED, learns, report_of
from etcdmesos.orders import Report, SavedSnapshot


@frozen(kw_only=True)
class Candidate:
    """A held member, and what a cluster grown from it would hold."""

    member: Member
    commit_index: int
    snapshot: SavedSnapshot | None
    """None when the one it gave, if any, does not hold everything that its log does."""

    learns: bool
    """It is a learner: the last to be tried, and no etcd runs on a copy of its data."""

    @property
    def order(self) -> tuple[bool, int, int, int]:
        """Smallest first."""
        taken = self.snapshot
        applied, revision = (taken.applied_index, taken.revision) if taken else (0, 0)
        return (self.learns, -self.commit_index, -applied, -revision)


def candidates(model: Model) -> list[Candidate]:
    """Those that can be tried (still), best first."""
    reseed = model.record.reseed
    assert reseed is not None
    found = [
        _candidate(member, report, learns(model, member))
        for member in model.record.members
        if member.name not in reseed.failures
        and reseed.member in ("", member.name)
        and (report := report_of(model, member)) is not None
        and report.standing in STOPPED
        and report.cluster_id in ("", model.record.cluster_id)
    ]
    return sorted(found, key=lambda one: one.order)


def _candidate(member: Member, report: Report, learns: bool) -> Candidate:
    taken = report.snapshot
    shown = taken.applied_index if taken is not None else 0
    # One whose index is not known is taken for what it is: there may be no other.
    whole = taken is not None and (shown == 0 or shown >= report.commit_index)
    return Candidate(
        member=member,
        commit_index=max(report.commit_index, shown),
        snapshot=taken if whole else None,
        learns=learns,
    )
