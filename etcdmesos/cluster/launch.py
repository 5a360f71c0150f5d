"""A member and its place, as the task that Mesos launches.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from etcdmesos.cluster.labels import labels_of
from etcdmesos.cluster.placement import Place
from etcdmesos.cluster.record import Member, Purpose, Record, RecordedTask, Role, Step
from etcdmesos.cluster.settings import Artifacts, Settings
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.tasks import DiscoveryPort, Task, Uri

TASK_NAME = Purpose.SERVER.value
EXECUTOR_FILE = "etcd-mesos-executor"
ETCD_FILE = "etcd"


def new_member(place: Place, number: int, generation: int, settings: Settings) -> Member:
    """The gang's member `etcd-<number>`, to be launched at `place`; its number was never used."""
    joining = new_learner(place, number, generation, settings)
    return with_task(
        evolve(joining, role=Role.VOTER, step=Step.LAUNCHING, initial_state="new"), place
    )


def new_learner(place: Place, number: int, generation: int, settings: Settings) -> Member:
    """The member `etcd-<number>`, to be added to a living cluster before it has a task."""
    return Member(
        name=f"etcd-{number}",
        generation=generation,
        role=Role.LEARNER,
        step=Step.ADDING,
        initial_state="existing",
        host=place.address,
        peer_port=place.peer_port,
        client_port=place.client_port,
        agent_id=place.agent_id,
        hostname=place.hostname,
        region=place.region,
        zone=place.zone,
        attributes=place.attributes,
        artifact=settings.artifacts.etcd_sha256,
    )


def with_task(member: Member, place: Place) -> Member:
    """`member` with its next task, numbered by launch."""
    task_id = f"{member.name}-{len(member.tasks) + 1}"
    task = RecordedTask(
        id=task_id, purpose=Purpose.SERVER, agent_id=place.agent_id, executor_id=task_id
    )
    return evolve(member, tasks=(*member.tasks, task))


def initial_cluster(members: Iterable[Member]) -> str:
    """etcd's `--initial-cluster` of `members`."""
    return ",".join(f"{m.name}={m.peer_url}" for m in members)


def server_task(member: Member, place: Place, record: Record, settings: Settings) -> Task:
    """The task that runs `member`.

    Labels are public, and enough to rebuild the member from the master's state alone.
    """
    task = member.tasks[-1]
    spec = MemberSpec(
        name=member.name,
        generation=member.generation,
        epoch=record.epoch,
        token=record.token_of(member.generation),
        initial_cluster=initial_cluster(record.members),
        initial_cluster_state=member.initial_state,
        scheme=member.scheme,
        host=member.host,
        peer_port=member.peer_port,
        client_port=member.client_port,
        quota_bytes=settings.quota_bytes,
        options=settings.etcd_options,
        grace_seconds=settings.grace,
        restores=record.restore is not None,
    )
    return Task(
        id=task.id,
        name=TASK_NAME,
        agent_id=task.agent_id,
        executor_id=task.executor_id,
        command=f"exec ./{EXECUTOR_FILE} -etcd-bin=./{ETCD_FILE}",
        uris=_programs(settings.artifacts),
        resources=place.resources,
        executor_resources=place.executor_resources,
        labels=labels_of(member, record),
        discovery_name=TASK_NAME,
        # Mesos-DNS makes `_etcd-server._tcp` of every tcp port of this name.  Only peers may be in
        # it, or `etcd --discovery-srv` forms a cluster of twice the size; so the client port gets
        # a protocol of its own, as in the original: `_etcd-server._client`.
        ports=(
            DiscoveryPort(number=member.peer_port, name="peer", protocol="tcp"),
            DiscoveryPort(number=member.client_port, name="client", protocol="client"),
        ),
        data=spec.to_json(),
        grace_seconds=settings.grace,
    )


def _programs(artifacts: Artifacts) -> tuple[Uri, ...]:
    """What the sandbox needs: with the tool that restores, so that a seed depends on no scheduler's
    host."""
    restorer = artifacts.restorer
    files = {
        EXECUTOR_FILE: artifacts.executor_uri,
        ETCD_FILE: artifacts.etcd_uri,
        **({} if restorer is None else {restorer.name: restorer.uri}),
    }
    return tuple(Uri(value=uri, output_file=name, executable=True) for name, uri in files.items())
