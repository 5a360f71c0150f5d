"""Facts for the oracles' tests: a small cluster's story, to be told right and wrong."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.launch import server_task
from etcdmesos.cluster.model import MesosLink, Model, StoreLink
from etcdmesos.cluster.placement import Place
from etcdmesos.cluster.record import Member, Purpose, Record, RecordedTask, Role
from etcdmesos.cluster.record import Step as MemberStep
from etcdmesos.cluster.settings import Settings
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.mesos.master_state import ListedFramework, ListedTask, MasterState
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.options import Options
from etcdmesos.simulation.oracles import Books, registered
from etcdmesos.simulation.oracles.registry import Judge
from etcdmesos.simulation.promises import PromiseBroken
from etcdmesos.step import Command, CommandDone, Event, Step

OPTIONS = Options(constraints="hostname:UNLIKE:forbidden", backup_interval=60.0)
SETTINGS = OPTIONS.settings()
NOWHERE = MasterState(
    registered_agents=frozenset(), outstanding_agents=0, unreachable_agents=0, frameworks=()
)


def verdict(oracle: str, *facts: f.Fact, settings: Settings = SETTINGS) -> str:
    """What this oracle alone says of a trace: "" when it accepts it."""
    (chosen,) = [one for one in registered() if one.name == oracle]
    judge = Judge(Books(settings), [chosen])
    try:
        for fact in facts:
            judge.see(fact)
    except PromiseBroken as broken:
        # The message quotes the promise.
        return broken.detail if chosen.promise.quote in str(broken) else str(broken)
    return ""


def member(number: int, agent: str = "", **changes: Any) -> Member:
    """`etcd-<number>`, a voter on an agent of its own."""
    name, agent = f"etcd-{number}", agent or f"agent-{number}"
    task = RecordedTask(
        id=f"{name}-1", purpose=Purpose.SERVER, agent_id=agent, executor_id=f"{name}-1"
    )
    made = Member(
        name=name,
        generation=1,
        role=Role.VOTER,
        step=MemberStep.VOTER,
        host=agent,
        peer_port=31000,
        client_port=31001,
        agent_id=agent,
        hostname=agent,
        tasks=(task,),
    )
    return evolve(made, **changes)


def record(*members: Member, **changes: Any) -> Record:
    """Of a cluster of three that was taken over once."""
    made = Record(
        cluster_name="simulated",
        framework_name="etcd-simulated",
        framework_id="fw",
        epoch=1,
        target_size=3,
        generation=1 if members else 0,
        members=members,
        next_member=len(members) + 1,
    )
    return evolve(made, **changes)


THREE = record(member(1), member(2), member(3))
LAUNCHING = evolve(
    THREE, members=tuple(evolve(m, step=MemberStep.LAUNCHING) for m in THREE.members)
)
SERVED = evolve(THREE, served=True, cluster_id="c1")


def model(held: Record = THREE, phase: str = "degraded", **changes: Any) -> Model:
    """A controller's, with both links."""
    made = Model(
        settings=SETTINGS,
        phase=phase,
        record=held,
        store=StoreLink(loaded=True),
        mesos=MesosLink(subscribed=True, state=NOWHERE),
    )
    return evolve(made, **changes)


def stepped(
    event: Event | None = None,
    *commands: Command,
    before: Model | None = None,
    after: Model | None = None,
    now: float = 10.0,
    process: int = 1,
    **step: Any,
) -> f.Stepped:
    """One step of the controller."""
    after = after or before or model()
    return f.Stepped(
        process=process,
        event=event or e.TimerFired(),
        before=before or after,
        step=Step(model=after, commands=commands, **step),
        now=now,
    )


def released(command: Command, process: int = 1) -> f.Released:
    return f.Released(process=process, command=command, now=10.0)


def listed(*members: Member, process: int = 1) -> f.Stepped:
    """etcd's list is read; a learner without a task has not started."""
    entries = tuple(
        ListedMember(
            id=f"id-{m.name[5:]}",
            name=m.name if m.tasks else "",
            peer_urls=(m.peer_url,),
            client_urls=(),
            learner=m.role is Role.LEARNER,
        )
        for m in members
    )
    listing = MemberList(cluster_id="c1", members=entries)
    return stepped(e.MembersListed(members=listing), process=process)


def learner(number: int, **changes: Any) -> Member:
    """`etcd-<number>`, added and not launched yet."""
    made = member(number, role=Role.LEARNER, step=MemberStep.ADDING, tasks=())
    return evolve(made, initial_state="existing", **changes)


def remove(number: int) -> c.RemoveMember:
    return c.RemoveMember(member=f"etcd-{number}", id=f"id-{number}", client_url="http://m:1")


def promote(number: int) -> c.PromoteLearner:
    return c.PromoteLearner(member=f"etcd-{number}", id=f"id-{number}", client_url="http://m:1")


def add(number: int) -> c.AddLearner:
    url = learner(number).peer_url
    return c.AddLearner(member=f"etcd-{number}", peer_url=url, client_url="http://m:1")


def done(command: Command) -> f.Stepped:
    """The step that hears of the command's end."""
    return stepped(CommandDone(command=command))


def changed(kind: str, number: int, **changes: Any) -> f.MembersChanged:
    """etcd carries a change out."""
    made = f.MembersChanged(
        kind=kind, member=f"id-{number}", learner=kind == "add", by_hand=False, listed=3
    )
    return evolve(made, **changes)


def stored(held: Record, process: int = 1) -> f.Stored:
    return f.Stored(process=process, record=held)


def launch(held: Record = LAUNCHING, *numbers: int, offer: str = "o1") -> c.Launch:
    """Of these members of a record, or of all."""
    members = [m for m in held.members if not numbers or int(m.name[5:]) in numbers]
    return c.Launch(
        offer_ids=(offer,),
        tasks=tuple(server_task(m, _place(m), held, SETTINGS) for m in members),
    )


def _place(of: Member) -> Place:
    return Place(
        offer_ids=("o1",),
        agent_id=of.agent_id,
        hostname=of.hostname,
        address=of.host,
        peer_port=of.peer_port,
        client_port=of.client_port,
        resources=(),
        executor_resources=(),
    )


def updated(task: str, state: TaskState, uuid: str = "") -> e.TaskUpdated:
    return e.TaskUpdated(
        status=TaskStatus(task_id=task, state=state, agent_id="agent-1", uuid=uuid)
    )


def subscribed() -> f.Stepped:
    """The step that hears of a subscription."""
    return stepped(e.Subscribed(framework_id="fw", master="master:5050"))


def state_read(state: MasterState = NOWHERE) -> f.Stepped:
    return stepped(e.MasterStateRead(state=state, subscription=1))


def heard(task: str, state: TaskState = TaskState.RUNNING) -> f.Stepped:
    return stepped(updated(task, state))


def offered(*ids: str, agent: str = "a", hostname: str = "a", zone: str = "") -> f.Stepped:
    """Offers arrive."""
    offers = tuple(
        Offer(
            id=i,
            agent_id=agent,
            hostname=hostname,
            address=hostname,
            resources=(),
            attributes={},
            zone=zone,
        )
        for i in ids
    )
    return stepped(e.OffersReceived(offers=offers))


def probed(name: str, at: float = 10.0, leader: str = "l") -> f.Stepped:
    """A member says that it serves under this leader."""
    health = MemberHealth(
        cluster_id="c1",
        member_id=f"id-{name[5:]}",
        version="3.5.30",
        leader=leader,
        term=2,
        commit_index=1,
        applied_index=1,
        revision=1,
        db_size=1,
        db_size_in_use=1,
        learner=False,
    )
    return stepped(e.MemberProbed(member=name, health=health), now=at)


def progressed(at: float = 10.0) -> f.Stepped:
    return stepped(e.ProgressMade(member="etcd-1"), now=at)


def namesake(*tasks: str) -> MasterState:
    """A master that knows another framework of our name with these tasks."""
    listed = tuple(
        ListedTask(id=t, agent_id="z", executor_id=t, state=TaskState.RUNNING, labels={})
        for t in tasks
    )
    other = ListedFramework(
        id="other", name="etcd-simulated", active=True, connected=True, tasks=listed
    )
    return evolve(NOWHERE, frameworks=(other,))


def etcd_started(number: int = 1, **changes: Any) -> f.EtcdStarted:
    made = f.EtcdStarted(
        executor=f"etcd-{number}-1",
        member=f"etcd-{number}",
        token="t1",
        generation=1,
        epoch=1,
        epoch_seen=1,
        directory=f"agent-{number}:/s/etcd-{number}",
    )
    return evolve(made, **changes)


def order_heard(epoch: int, *, recorded: bool) -> f.OrderHeard:
    return f.OrderHeard(executor="etcd-1-1", epoch=epoch, epoch_seen=2, recorded=recorded)


def settled(held: Record = SERVED, phase: str = "healthy", **changes: Any) -> f.Settled:
    tasks = frozenset(task.id for m in held.members for task in m.tasks)
    made = f.Settled(
        now=10.0,
        model=model(held, phase),
        alive=tasks,
        keys=frozenset(),
        lost_majority=False,
    )
    return evolve(made, **changes)
