"""Planted bugs in the order of things: saves, epochs, links, names."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.chart_definition import Definition
from etcdmesos.cluster import events as e
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import Kill, Launch, Subscribe
from etcdmesos.cluster.guards import GUARDS
from etcdmesos.cluster.model import Draft, Model, StoreLink
from etcdmesos.cluster.record import Record
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import ClusterStep, planted, scheduler_with
from etcdmesos.step import Event, Step

TOKEN = "etcd"  # noqa: S105 (etcd's word for the name of a cluster)


@planted("launches_are_on_record")
def launches_before_the_save() -> Cores:
    """The launch goes out at once and the record is written a step later: the original persisted a
    member only when its task was running."""

    def around(step: ClusterStep) -> ClusterStep:
        def late(model: Model, event: Event, now: float) -> Step[Model, Record]:
            done = step(model, event, now)
            launches = any(isinstance(command, Launch) for command in done.commands)
            return evolve(done, save=None) if launches else done

        return late

    return scheduler_with(around=around)


@planted("launches_are_on_record")
def gang_members_disagree() -> Cores:
    """Tasks launched at once get different ideas of the cluster (recorded by the original)."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_bootstrap"](draft)
        commands = tuple(
            evolve(c, tasks=tuple(evolve(t, data=_short(t.data, n)) for t in c.tasks))
            if isinstance(c, Launch)
            else c
            for n, c in enumerate(done.commands)
        )
        return evolve(done, commands=commands)

    return scheduler_with(actions={"plan_bootstrap": plan})


def _short(data: bytes, known: int) -> bytes:
    """The member description as it looks to whoever knows only the first few members."""
    spec = MemberSpec.from_json(data)
    entries = [x for x in spec.initial_cluster.split(",") if x.partition("=")[0] != spec.name]
    own = f"{spec.name}={spec.peer_url}"
    return evolve(spec, initial_cluster=",".join([*entries[:known], own])).to_json()


@planted("launches_are_on_record")
def reuses_a_task_id() -> Cores:
    """Task ids are numbered anew for each gang."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_bootstrap"](draft)
        if not any(isinstance(c, Launch) for c in done.commands):
            return done
        members = done.model.record.members
        ids = {m.tasks[0].id: f"etcd-{n}-1" for n, m in enumerate(members, 1)}
        renamed = tuple(
            evolve(m, tasks=tuple(evolve(t, id=ids[t.id], executor_id=ids[t.id]) for t in m.tasks))
            for m in members
        )
        commands = tuple(
            evolve(
                c,
                tasks=tuple(evolve(t, id=ids[t.id], executor_id=ids[t.id]) for t in c.tasks),
            )
            if isinstance(c, Launch)
            else c
            for c in done.commands
        )
        return evolve(done.recording(members=renamed), commands=commands)

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("names_are_used_once")
def reuses_a_member_number() -> Cores:
    """Giving an attempt up also takes back the numbers of its members."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_bootstrap"](draft)
        forgotten = draft.model.record.members and not done.model.record.members
        return done.recording(next_member=1) if forgotten else done

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("data_belongs_to_one_member", "nothing_grows_beside_written_data")
def one_token_for_all_generations() -> Cores:
    """The token is made of the cluster's name alone, so old members can join a new attempt."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_bootstrap"](draft)
        commands = tuple(
            evolve(
                c,
                tasks=tuple(
                    evolve(t, data=evolve(MemberSpec.from_json(t.data), token=TOKEN).to_json())
                    for t in c.tasks
                ),
            )
            if isinstance(c, Launch)
            else c
            for c in done.commands
        )
        return evolve(done, commands=commands)

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("epochs_have_one_holder", "subscribes_after_takeover")
def epoch_is_not_raised() -> Cores:
    """A takeover goes on under the old scheduler's epoch."""

    def take(draft: Draft) -> Draft:
        done = ACTIONS["take_record"](draft)
        loaded = draft.event.record if isinstance(draft.event, e.RecordLoaded) else None
        if loaded is None or done.model.record.epoch == loaded.epoch:
            return done
        return done.recording(epoch=loaded.epoch, sequence=loaded.sequence + 1)

    return scheduler_with(actions={"take_record": take})


@planted("subscribes_after_takeover")
def subscribes_before_the_takeover() -> Cores:
    """Mesos and the record store are contacted at the same time."""

    def keep(draft: Draft) -> Draft:
        mesos, leads = draft.model.mesos, draft.model.leadership.held
        if leads and not (draft.model.store.loaded or mesos.subscribed or mesos.subscribing):
            draft = draft.having(mesos=evolve(mesos, subscribing=True)).asking(
                Subscribe(framework_id=draft.model.record.framework_id)
            )
        return ACTIONS["keep_links"](draft)

    return scheduler_with(actions={"keep_links": keep})


@planted("nothing_changes_without_links", "only_the_leader_acts", "kills_are_on_record")
def acts_while_recovering() -> Cores:
    """Members are replaced and tasks killed in every phase, also while it is not known yet how they
    are."""

    def chart(definition: Definition) -> Definition:
        rows = tuple(
            evolve(row, actions=(*row.actions, "plan_membership", "plan_kills"))
            if row.on == "planned" and row.phases == ("recovering",)
            else row
            for row in definition.rows
        )
        return evolve(definition, rows=rows)

    return scheduler_with(chart=chart)


@planted("nothing_changes_without_links", "only_the_hopeless_are_given_up")
def skips_the_reconciliation() -> Cores:
    """Once subscribed it goes on, before anything was heard of the recorded tasks."""

    def recovered(draft: Draft) -> bool:
        model = draft.model
        quiet = evolve(model.mesos, unaccounted=frozenset())
        return GUARDS["recovered"](draft.having(mesos=quiet))

    return scheduler_with(guards={"recovered": recovered})


@planted("nothing_changes_without_links")
def does_not_look_around() -> Cores:
    """The master's state is not waited for."""

    def recovered(draft: Draft) -> bool:
        mesos = draft.model.mesos
        return draft.model.store.loaded and mesos.subscribed and not mesos.unaccounted

    def keep(draft: Draft) -> Draft:
        mesos = draft.model.mesos
        if mesos.subscribed and mesos.state is None:
            state = MasterState(
                registered_agents=frozenset(),
                outstanding_agents=0,
                unreachable_agents=0,
                frameworks=(),
            )
            draft = draft.having(mesos=evolve(mesos, state=state))
        return ACTIONS["keep_links"](draft)

    return scheduler_with(guards={"recovered": recovered}, actions={"keep_links": keep})


@planted("kills_are_on_record", "nothing_changes_without_links")
def kills_members_as_strays() -> Cores:
    """Whoever is not a voter yet is taken for a stray: the original's pruner met members with an
    empty name and killed them."""

    def take(draft: Draft) -> Draft:
        done = ACTIONS["take_task_update"](draft)
        event = draft.event
        assert isinstance(event, e.TaskUpdated)
        member = done.model.record.owner(event.status.task_id)
        if member is None or member.id or event.status.dead:
            return done
        kill = Kill(task_id=event.status.task_id, agent_id=event.status.agent_id)
        return done.asking(kill) if done.model.phase != "recovering" else done

    return scheduler_with(actions={"take_task_update": take})


@planted(
    "it_ends_well",
    "the_core_takes_everything_in",
    "launches_are_on_record",
    "subscribes_after_takeover",
    "kills_are_on_record",
)
def ignores_a_failed_save() -> Cores:
    """A save that fails is only logged, as in the original."""

    def note(draft: Draft) -> Draft:
        return draft.having(store=StoreLink(loaded=True))

    return scheduler_with(actions={"note_save_failed": note})
