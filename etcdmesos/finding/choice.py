"""Which of the member lists that were read is the cluster's."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from etcdmesos.errors import EtcdMesosError
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.finding.cluster import Cluster


class NotFound(EtcdMesosError):
    """No cluster can be told now; the text says why, in one line."""

    def __init__(self, why: str, *, outdated: bool = False) -> None:
        super().__init__(why)
        self.outdated = outdated
        """The cluster found last counts no more, or not now, and no other one is found yet."""


@frozen(kw_only=True)
class Answers:
    """What became of asking members for their list, with a quorum's consent."""

    lists: Sequence[MemberList] = ()
    failures: Sequence[str] = ()
    """Why others gave none, a line each."""


def choose(answers: Answers, *, counts: str, found: str) -> Cluster:
    """The cluster of id `counts`.

    That is the one its scheduler announced last, or else the one found first.  Who knows neither
    ("") takes what answers, unless several clusters do: after a reseed the old members may live on
    somewhere, and only the scheduler can tell which is which.  `found` is the id of the cluster
    found last.  Raises NotFound.
    """
    ids = sorted({listing.cluster_id for listing in answers.lists})
    if not counts and len(ids) > 1:
        raise NotFound(
            f"members of {len(ids)} clusters answer ({', '.join(ids)}), and no scheduler tells "
            "which of them counts: give its address by -admin-urls"
        )
    wanted = counts or "".join(ids)
    for listing in answers.lists:
        if listing.cluster_id == wanted:
            cluster = Cluster.of(listing)
            if cluster.voters:
                return cluster
    outdated = bool(found) and (counts not in ("", found) or (bool(ids) and found not in ids))
    raise NotFound(_why(answers, ids, wanted), outdated=outdated)


def _why(answers: Answers, ids: Sequence[str], wanted: str) -> str:
    if ids and wanted not in ids:
        return (
            f"no member of cluster {wanted} answers, but one of cluster {ids[0]}, which its "
            "scheduler has not announced"
        )
    if answers.failures:
        return f"no member answers for a quorum: {'; '.join(sorted(set(answers.failures)))}"
    return "no member of it runs yet"
