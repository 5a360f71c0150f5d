"""The stage's etcd: how members answer probes, and the list a quorum of them holds."""

from __future__ import annotations

from attrs import define, evolve, field

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Record
from etcdmesos.etcd.member_health import Alarm
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.step import Command, Event
from tests.cluster import make

MEMBERSHIP = (c.AddLearner, c.PromoteLearner, c.RemoveMember)
RECURRING = (c.ProbeMember, c.ProbeProgress, c.ListMembers)


@define
class Etcd:
    """Numbers in `up` serve, the others refuse connections."""

    up: tuple[str, ...] = ()
    options: dict[str, str] = field(factory=dict)
    members: tuple[ListedMember, ...] = ()
    asked: int = 0
    committed: int = 10
    stuck: dict[str, int] = field(factory=dict)
    """By member: what it had applied when it stopped to apply anything."""
    cluster: str = "c1"
    seed: str = ""
    """The member that a new cluster was grown from, with another id in it."""
    led: str = ""
    """The last leader that anybody named, by its id."""

    @classmethod
    def of_gang(cls, record: Record) -> Etcd:
        """An etcd that lists the members of a static `--initial-cluster`."""
        return cls(members=tuple(make.listed(m) for m in record.members))

    def become(self, up: tuple[str, ...], options: dict[str, str]) -> None:
        """From here on these serve; who serves has told its name to the list."""
        self.up, self.options = up, options
        stuck = options.get("stuck", "").split(",")
        self.stuck = {name: self.stuck.get(name, self.committed) for name in stuck if name}
        self.members = tuple(
            evolve(entry, name=name)
            if (name := "etcd-" + entry.id.removeprefix("id-")) in up
            else entry
            for entry in self.members
        )

    def reseed(self, name: str) -> None:
        """A new cluster, of this member alone."""
        entry = next(x for x in self.members if x.name == name)
        self.cluster, self.seed = "c2", name
        self.members = (evolve(entry, id=self._id(name)),)

    def _id(self, name: str) -> str:
        return f"seed-{name}" if name == self.seed else make.member_id(name)

    def answer(self, asked: Command) -> Event:
        if isinstance(asked, c.ProbeProgress):
            if "progress" in self.options:
                return e.CommandFailed(command=asked, reason="timed out")
            self.committed += 1
            return e.ProgressMade(member=asked.member)
        if isinstance(asked, c.ListMembers):
            if not self._quorum():
                return e.CommandFailed(command=asked, reason="no quorum")
            return e.MembersListed(members=self.list())
        assert isinstance(asked, c.ProbeMember)
        return self._health(asked)

    def list(self) -> MemberList:
        return make.listing(*self.members, cluster_id=self.options.get("cluster", self.cluster))

    def apply(self, command: Command) -> None:
        """Change the list as `command` asks."""
        if isinstance(command, c.AddLearner):
            fresh = ListedMember(
                id=make.member_id(command.member),
                name="",
                peer_urls=(command.peer_url,),
                client_urls=(),
                learner=True,
            )
            self.members = (*self.members, fresh)
        elif isinstance(command, c.PromoteLearner):
            self.members = tuple(
                evolve(entry, learner=False) if entry.id == command.id else entry
                for entry in self.members
            )
        elif isinstance(command, c.RemoveMember):
            self.members = tuple(entry for entry in self.members if entry.id != command.id)

    def _quorum(self) -> bool:
        if not self.members:  # a script that shows probes and says nothing of the list
            return False
        voters = [entry for entry in self.members if not entry.learner]
        return has_quorum(sum(entry.name in self.up for entry in voters), len(voters))

    def _health(self, probe: c.ProbeMember) -> Event:
        if probe.member not in self.up:
            return e.CommandFailed(command=probe, reason="connection refused")
        self.asked += 1
        says = make.health(
            probe.member,
            self._leader(),
            term=int(self.options.get("term", 2)),
            commit_index=self.committed,
            applied_index=self.stuck.get(probe.member, self.committed),
            revision=int(self.options.get("revision", 1)),
            alarms=self._alarms(),
        )
        leader = self.options.get("leader", self.seed)
        if self.seed and leader != "none":
            says = evolve(says, leader=self._id(leader))
        says = evolve(says, cluster_id=self.cluster, member_id=self._id(probe.member))
        entry = next((x for x in self.members if x.id == says.member_id), None)
        if self.options.get("foreign") == probe.member:
            says = evolve(says, cluster_id="c9")
        if self.options.get("learner") == probe.member or (entry is not None and entry.learner):
            says = evolve(says, learner=True)
        if probe.member in self.options.get("follows-2", "").split(","):
            says = evolve(says, leader=make.member_id("etcd-2"))
        if self.options.get("leaderless") == probe.member:
            says = evolve(says, leader="")
        self.led = says.leader or self.led
        if says.learner:  # it never campaigns, and so never forgets
            says = evolve(says, leader=self.led)
        if self.options.get("behind") == probe.member:
            says = evolve(says, applied_index=self.committed * 8 // 10)
        return e.MemberProbed(member=probe.member, health=says)

    def _alarms(self) -> tuple[Alarm, ...]:
        """Of the whole cluster: everybody names them all."""
        kinds = ("corrupt", "nospace")
        return tuple(
            sorted(
                Alarm(make.member_id(member), kind.upper())
                for kind in kinds
                for member in self.options.get(kind, "").split(",")
                if member
            )
        )

    def _leader(self) -> str:
        elected = "etcd-1" if "etcd-1" in self.up else self.up[0]
        leader = self.options.get("leader", elected)
        if leader == "flapping":
            return ("etcd-1", "etcd-2")[self.asked % 2]
        return "" if leader == "none" else leader
