"""Values the tests of the cluster's core are made of, each with sensible rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from etcdmesos.cluster.controller import Controller
from etcdmesos.cluster.record import (
    Member,
    Purpose,
    Record,
    RecordedTask,
    Role,
    Step,
)
from etcdmesos.cluster.settings import Artifacts, Restorer, Settings
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.mesos.master_state import ListedFramework, ListedTask, MasterState
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import PortRange, Resource
from etcdmesos.mesos.statuses import TaskState, TaskStatus

CONTROLLER = Controller()
"""Holds no state of any cluster, so all tests may share it."""

PLAIN = {"role": "*", "allocation_info": {"role": "*"}}


def settings(size: int = 3, **changes: Any) -> Settings:
    made = Settings(
        cluster_name="c",
        framework_name="etcd-c",
        cluster_size=size,
        artifacts=artifacts(),
    )
    return evolve(made, **changes)


def artifacts(*, bumps: bool = True) -> Artifacts:
    """`bumps`: the tool that restores can raise revisions."""
    return Artifacts(
        executor_uri="http://x/e",
        etcd_uri="http://x/d",
        etcd_sha256="ab",
        restorer=Restorer(name="etcdutl", uri="http://x/u", sha256="cd", bumps=bumps),
    )


def resources(
    cpus: float = 4.0,
    mem: float = 8192.0,
    disk: float = 16384.0,
    ports: tuple[tuple[int, int], ...] = ((31000, 31999),),
) -> tuple[Resource, ...]:
    ranges = tuple(PortRange(begin, end) for begin, end in ports)
    return (
        Resource(name="cpus", amount=cpus, tags=PLAIN),
        Resource(name="mem", amount=mem, tags=PLAIN),
        Resource(name="disk", amount=disk, tags=PLAIN),
        *((Resource(name="ports", ranges=ranges, tags=PLAIN),) if ranges else ()),
    )


def offer(
    offer_id: str,
    agent: str = "",
    region: str = "",
    zone: str = "",
    attributes: Mapping[str, str] | None = None,
    **amounts: Any,
) -> Offer:
    """An offer of the agent `agent` (by default the part of the id before the dash)."""
    agent = agent or offer_id.partition("-")[0]
    return Offer(
        id=offer_id,
        agent_id=agent,
        hostname=f"host-{agent}",
        address=f"10.0.0.{sum(agent.encode()) % 250}",
        resources=resources(**amounts),
        attributes=attributes or {},
        region=region,
        zone=zone,
    )


def status(task_id: str, state: TaskState, agent: str = "a", **changes: Any) -> TaskStatus:
    made = TaskStatus(task_id=task_id, state=state, agent_id=agent, executor_id=task_id)
    return evolve(made, **changes)


def master_state(
    outstanding: int = 0,
    others: dict[str, tuple[str, ...]] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> MasterState:
    """`others`: framework id to the ids of its tasks, with a dash before those that ended."""

    def tasks(ids: Iterable[str], state: TaskState) -> tuple[ListedTask, ...]:
        return tuple(
            ListedTask(
                id=task,
                agent_id=(labels or {}).get(task, {}).get("etcd-mesos/hostname", "host-z")[5:],
                executor_id=task,
                state=state,
                labels=(labels or {}).get(task, {}),
            )
            for task in ids
        )

    return MasterState(
        registered_agents=frozenset(),
        outstanding_agents=outstanding,
        unreachable_agents=0,
        frameworks=tuple(
            ListedFramework(
                id=framework,
                name="etcd-c",
                active=True,
                connected=True,
                tasks=tasks((i for i in ids if i[0] != "-"), TaskState.RUNNING),
                completed=tasks((i[1:] for i in ids if i[0] == "-"), TaskState.FAILED),
            )
            for framework, ids in (others or {}).items()
        ),
    )


def health(member: str, leader: str = "etcd-1", **changes: Any) -> MemberHealth:
    """What `member` says while `leader` (a member's name, or "") leads."""
    made = MemberHealth(
        cluster_id="c1",
        member_id=member_id(member),
        version="3.5.30",
        leader=member_id(leader) if leader else "",
        term=2,
        commit_index=10,
        applied_index=10,
        revision=1,
        db_size=20480,
        db_size_in_use=20480,
        learner=False,
    )
    return evolve(made, **changes)


def member_id(name: str) -> str:
    """etcd's id of a member, as the tests hand them out."""
    return "id-" + name.removeprefix("etcd-")


def listed(member: Member, **changes: Any) -> ListedMember:
    """`member` as etcd lists it once it has started."""
    made = ListedMember(
        id=member.id or member_id(member.name),
        name=member.name,
        peer_urls=(member.peer_url,),
        client_urls=(member.client_url,),
        learner=member.role is Role.LEARNER,
    )
    return evolve(made, **changes)


def listing(*members: ListedMember, cluster_id: str = "c1") -> MemberList:
    return MemberList(cluster_id=cluster_id, members=members)


def member(number: int, agent: str, step: Step = Step.VOTER, **changes: Any) -> Member:
    name = f"etcd-{number}"
    task = RecordedTask(
        id=f"{name}-1", purpose=Purpose.SERVER, agent_id=agent, executor_id=f"{name}-1"
    )
    made = Member(
        name=name,
        generation=1,
        id=member_id(name) if step is Step.VOTER else "",
        role=Role.VOTER,
        step=step,
        host=f"10.0.0.{number}",
        peer_port=31000,
        client_port=31001,
        agent_id=agent,
        hostname=f"host-{agent}",
        tasks=(task,),
    )
    return evolve(made, **changes)


def record(*members: Member, size: int = 3, **changes: Any) -> Record:
    """The record of a cluster of `size` in its first generation, taken over once."""
    made = Record(
        cluster_name="c",
        framework_name="etcd-c",
        framework_id="fw-1",
        epoch=1,
        sequence=3,
        target_size=size,
        generation=1 if members else 0,
        served=any(m.step is Step.VOTER for m in members),
        cluster_id="c1" if any(m.step is Step.VOTER for m in members) else "",
        members=members,
        next_member=len(members) + 1,
    )
    return evolve(made, **changes)
