"""The world's etcd: one list of members for each token, held by a quorum of those that run.

It answers as the real one: a change is refused when it would lose the quorum, while a voter is not
connected, when a second learner would join, when the learner is behind; an answer may be lost, and
what was asked may be carried out later than anybody waits.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from etcdmesos.cluster import commands as c
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.member_spec import MemberSpec
from etcdmesos.step import Command

MEMBERSHIP = (c.AddLearner, c.PromoteLearner, c.RemoveMember)
BEHIND = "can only promote a learner member which is in sync with leader"


@define
class Entry:
    id: str
    peer_url: str
    name: str = ""
    learner: bool = False
    behind: bool = False
    data: str = ""
    """The task that has its data; there is never another one."""


@define
class Cluster:
    """What the members of one token know of each other."""

    token: str
    entries: list[Entry]
    removed: set[str] = field(factory=set)

    def entry(self, member_id: str) -> Entry | None:
        return next((x for x in self.entries if x.id == member_id), None)

    def of_task(self, task_id: str) -> Entry | None:
        return next((x for x in self.entries if x.data == task_id), None)


@define
class Etcd:
    """`alive` tells whether the process of a task runs."""

    alive: Callable[[str], bool]
    clusters: dict[str, Cluster] = field(factory=dict)
    serial: int = 0
    late: list[tuple[Cluster, Command]] = field(factory=list)

    # Processes

    def start(self, task_id: str, spec: MemberSpec) -> str:
        """etcd starts with an empty directory; the text says why it ends at once, if it does."""
        told = dict(part.split("=") for part in spec.initial_cluster.split(","))
        cluster = self.clusters.get(spec.token)
        if cluster is None:
            assert spec.initial_cluster_state == "new", "a learner of no cluster"
            cluster = Cluster(
                spec.token, [Entry(self._id(), url, name) for name, url in told.items()]
            )
            self.clusters[spec.token] = cluster
        own = next((x for x in cluster.entries if x.peer_url == told[spec.name]), None)
        if spec.initial_cluster_state == "existing" and {x.peer_url for x in cluster.entries} != {
            *told.values()
        }:
            return "member count is unequal"
        if own is None:
            return "not a member"
        assert not own.data, "a member's data are never used by another member"
        assert own.name in ("", spec.name), "a member's name is never used by another member"
        own.name, own.data = spec.name, task_id
        return ""

    def at_home(self, task_id: str, token: str) -> Entry | None:
        """The entry of a running task, unless it was removed."""
        cluster = self.clusters.get(token)
        return cluster.of_task(task_id) if cluster is not None else None

    def up(self, cluster: Cluster) -> list[Entry]:
        """The voters that run."""
        return [x for x in cluster.entries if not x.learner and x.data and self.alive(x.data)]

    def leader(self, token: str) -> str:
        """The id of the leader that a quorum has, or ""."""
        cluster = self.clusters.get(token)
        if cluster is None:
            return ""
        up = self.up(cluster)
        voters = sum(not x.learner for x in cluster.entries)
        return min(x.id for x in up) if voters and has_quorum(len(up), voters) else ""

    # The list

    def listing(self, token: str, cluster_id: str) -> MemberList:
        return MemberList(
            cluster_id=cluster_id,
            members=tuple(
                ListedMember(
                    id=x.id, name=x.name, peer_urls=(x.peer_url,), client_urls=(), learner=x.learner
                )
                for x in self.clusters[token].entries
            ),
        )

    def refusal(self, token: str, command: Command) -> str:
        """Why etcd does not even propose the change; "" when it does."""
        cluster = self.clusters[token]
        up = {x.id for x in self.up(cluster)}
        voters = {x.id for x in cluster.entries if not x.learner}
        if isinstance(command, c.AddLearner) and up != voters:
            return "unhealthy cluster"
        if isinstance(command, c.PromoteLearner):
            entry = cluster.entry(command.id)
            if entry is not None and (entry.behind or not self.alive(entry.data)):
                return BEHIND
        if isinstance(command, c.RemoveMember) and command.id in voters:
            rest = voters - {command.id}
            if not rest or not has_quorum(len(up & rest), len(rest)):
                return "re-configuration failed due to not enough started members"
        return self._invalid(cluster, command)

    @staticmethod
    def _invalid(cluster: Cluster, command: Command) -> str:
        if isinstance(command, c.AddLearner):
            if any(x.peer_url == command.peer_url for x in cluster.entries):
                return "Peer URLs already exists"
            return "too many learner members" if any(x.learner for x in cluster.entries) else ""
        assert isinstance(command, c.PromoteLearner | c.RemoveMember)
        entry = cluster.entry(command.id)
        if entry is None:
            return "member not found"
        if isinstance(command, c.PromoteLearner) and not entry.learner:
            return "can only promote a learner member"
        return ""

    def apply(self, cluster: Cluster, command: Command) -> None:
        """A committed change; one that does not fit the list any more does nothing."""
        if self._invalid(cluster, command):
            return
        if isinstance(command, c.AddLearner):
            fresh = Entry(self._id(), command.peer_url, learner=True, behind=True)
            cluster.entries.append(fresh)
            return
        assert isinstance(command, c.PromoteLearner | c.RemoveMember)
        entry = cluster.entry(command.id)
        assert entry is not None
        if isinstance(command, c.PromoteLearner):
            entry.learner = False
        else:
            cluster.entries.remove(entry)
            cluster.removed.add(entry.id)

    def change(self, token: str, command: Command, outcome: str) -> str:
        """Ask for `command`: "" when it is done, else why it is not; unknown-late comes later."""
        refused = self.refusal(token, command)
        if refused or outcome == "unknown-lost":
            return refused
        if outcome == "unknown-late":
            self.late = [(self.clusters[token], command)]  # a proposal lives for a while only
        else:
            self.apply(self.clusters[token], command)
        return ""

    def apply_late(self) -> None:
        """What nobody waits for any more is committed, if there is a quorum to do so."""
        while self.late:
            cluster, command = self.late.pop()
            if self.leader(cluster.token):
                self.apply(cluster, command)

    def _id(self) -> str:
        self.serial += 1
        return f"id-{self.serial}"
