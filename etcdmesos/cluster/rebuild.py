"""The plan for a record that was lost while its cluster lives, on the operator's word.

Who the members are is read from their tasks' labels in the master's state, whether they still are
members from etcd's list as a quorum has it.  Until both are complete, nothing is changed.
"""

from __future__ import annotations

from attrs import evolve, frozen

from etcdmesos.cluster.commands import ListMembers
from etcdmesos.cluster.labels import Labels
from etcdmesos.cluster.links import read_state
from etcdmesos.cluster.model import Draft, Model, StoreLink, ended_on_record
from etcdmesos.cluster.record import Member, Purpose, Record, RecordedTask, Role, Step
from etcdmesos.cluster.settings import Settings
from etcdmesos.draft import SOON
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.mesos.master_state import ListedFramework, ListedTask
from etcdmesos.mesos.statuses import DEAD

SKIPPED_EPOCHS = 1000
"""Takeovers since the last launch are on no label: the rebuilt record's epoch is above them."""
SKIPPED_NUMBERS = 100
"""Members that the master has forgotten may have had these numbers; none is used twice."""
SKIPPED_GENERATIONS = 100
"""Reseeds are on no label of the seed: the rebuilt record's generation is above theirs, or a hold
would take the seed's data for that of an attempt that failed."""


@frozen(kw_only=True)
class Survivors:
    """What the master shows of a cluster: its framework, and who runs."""

    framework: ListedFramework
    running: tuple[tuple[ListedTask, Labels], ...]
    """Of whatever generation: a seed has the labels of the cluster before."""

    @property
    def generation(self) -> int:
        """The newest on any label."""
        return max(labels.generation for _, labels in self.running)

    @property
    def newest(self) -> frozenset[str]:
        """The ids of the tasks of that generation."""
        return frozenset(t.id for t, labels in self.running if labels.generation == self.generation)


def plan_rebuild(draft: Draft) -> Draft:
    """Read the master's state and etcd's list until the record can be made of them; make it."""
    if not (draft.model.store.rebuilding and draft.model.leadership.held):
        return draft
    draft = read_state(draft)
    found, view = survivors(draft.model), draft.model.membership
    if isinstance(found, str) or view.busy:
        return draft
    if draft.now < view.ask_at:
        return draft.waking(view.ask_at)
    if view.listing is None or draft.now >= view.look_at:
        errand = draft.model.errand
        asked = found.running[errand.tries % len(found.running)][1]
        return draft.having(
            errand=evolve(errand, tries=errand.tries + 1), membership=evolve(view, busy=True)
        ).asking(ListMembers(client_url=asked.client_url))
    record = rebuilt(draft.model, found, view.listing)
    if isinstance(record, str):
        return draft.waking(view.look_at)
    return draft.having(
        record=record,
        tasks=ended_on_record(record),
        leadership=evolve(draft.model.leadership, epoch=record.epoch),
        store=StoreLink(loaded=True),
        attempt_since=draft.now,
    ).waking(draft.now + SOON)


def obstacle_to_rebuild(model: Model) -> str:
    """Why the record is not rebuilt yet, in words."""
    found, view = survivors(model), model.membership
    if isinstance(found, str):
        return found
    shown = ", ".join(task.id for task, _ in found.running)
    if view.listing is None:
        said = f": {view.failure}" if view.failure else ""
        return f"waits until one of {shown} answers for a quorum of etcd{said}"
    record = rebuilt(model, found, view.listing)
    return record if isinstance(record, str) else "is about to save it"


def survivors(model: Model) -> Survivors | str:
    """Whom the record can be rebuilt from; or, in words, why from nobody yet."""
    state, name = model.mesos.state, model.settings.cluster_name
    if state is None:
        return "waits for the Mesos master's state"
    if state.outstanding_agents:
        return f"waits for {state.outstanding_agents} agents that the master remembers"
    found: dict[str, Survivors] = {}
    for framework in state.frameworks:
        labelled = [(task, Labels.of(task.labels, name, framework.id)) for task in framework.tasks]
        running = tuple((task, labels) for task, labels in labelled if labels is not None)
        if running:
            found[framework.id] = Survivors(framework=framework, running=running)
    if len(found) > 1:
        several = ", ".join(sorted(found))
        return f"frameworks {several} all have tasks of {name}: tear down all but one"
    if not found:
        return f"the Mesos master shows no task of {name} to rebuild its record from"
    return next(iter(found.values()))


def rebuilt(model: Model, found: Survivors, listing: MemberList) -> Record | str:
    """The record of the cluster that `found` are of; or, in words, why there is none."""
    settings, framework = model.settings, found.framework
    generation = found.generation + SKIPPED_GENERATIONS
    everybody = {
        labels.peer_url: (task, labels)
        for task in (*framework.completed, *framework.tasks)
        if (labels := Labels.of(task.labels, settings.cluster_name, framework.id)) is not None
    }
    members = []
    for entry in listing.members:
        at = next((everybody[url] for url in entry.peer_urls if url in everybody), None)
        member = _unseen(entry, generation) if at is None else _member(entry, *at)
        if member is not None:
            members.append(member)
    numbers = [member.number for member in members]
    numbers += [labels.number for _, labels in everybody.values()]
    record = Record(
        cluster_name=settings.cluster_name,
        framework_name=settings.framework_name,
        framework_id=framework.id,
        epoch=max(labels.epoch for _, labels in everybody.values()) + SKIPPED_EPOCHS,
        target_size=settings.cluster_size,
        generation=generation,
        attempted_generation=generation,
        cluster_id=listing.cluster_id,
        served=True,
        members=tuple(sorted(members, key=lambda member: member.number)),
        next_member=max(numbers) + 1 + SKIPPED_NUMBERS,
    )
    if not any(task.id in found.newest for member in members for task in member.tasks):
        return f"none of {', '.join(sorted(found.newest))} is on etcd's list"
    return _objection(record, settings) or record


def _objection(record: Record, settings: Settings) -> str:
    size, agents = len(record.members), {m.agent_id for m in record.members}
    if size > settings.cluster_size:
        return f"etcd lists {size} members of ours, -cluster-size={settings.cluster_size} are fewer"
    if settings.single_instance_per_agent and len(agents) < size:
        return "two members run on one agent: give -single-instance-per-slave=false"
    return ""


def _member(entry: ListedMember, task: ListedTask, labels: Labels) -> Member:
    recorded = RecordedTask(
        id=task.id,
        purpose=Purpose.SERVER,
        agent_id=task.agent_id,
        executor_id=task.executor_id or task.id,
        ended=task.state.value if task.state in DEAD else "",
    )
    return evolve(
        labels.member(),
        id=entry.id,
        role=Role.LEARNER if entry.learner else Role.VOTER,
        step=Step.JOINING if entry.learner or not entry.name else Step.VOTER,
        agent_id=task.agent_id,
        tasks=(recorded,),
    )


def _unseen(entry: ListedMember, generation: int) -> Member | None:
    """One of ours that etcd lists, and of whose task the master knows nothing any more.

    It is asked for by the name its task had; nobody vouches for it, and it is replaced in time.
    """
    number = entry.name.removeprefix("etcd-")
    if not (number.isdecimal() and entry.peer_urls and entry.client_urls):
        return None
    scheme, _, place = entry.peer_urls[0].partition("://")
    host, _, peer_port = place.rpartition(":")
    nowhere = f"unknown-{entry.name}"
    task_id = f"{entry.name}-1"
    task = RecordedTask(id=task_id, purpose=Purpose.SERVER, agent_id=nowhere, executor_id=task_id)
    return Member(
        name=entry.name,
        generation=generation,
        id=entry.id,
        role=Role.LEARNER if entry.learner else Role.VOTER,
        step=Step.JOINING if entry.learner else Step.VOTER,
        scheme=scheme,
        host=host,
        peer_port=int(peer_port),
        client_port=int(entry.client_urls[0].rstrip("/").rpartition(":")[2]),
        agent_id=nowhere,
        hostname=host,
        tasks=(task,),
    )
