"""Plans that keep us connected: the record loaded, the master subscribed to, tasks accounted for.

None of them changes anything of the cluster; they are what may run while we know too little.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.commands import LoadRecord, ReadMasterState, Reconcile, Subscribe
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.uninstall import framework_is_over
from etcdmesos.mesos.statuses import TaskState


def keep_links(draft: Draft) -> Draft:
    """Load the record, then subscribe, then account for what the record names; each when due.

    A standby only loads the record, again and again, to show it.
    """
    store, mesos, leadership = draft.model.store, draft.model.mesos, draft.model.leadership
    if not leadership.held and leadership.epoch:
        return draft  # suspended: nothing is asked for before we know whether we lead
    if draft.model.errand.busy or store.unreadable or store.rebuilding:
        return draft
    if not (leadership.held and store.loaded):
        return draft if store.loading else _load(draft)
    if mesos.removed or framework_is_over(draft.model):
        return draft
    if mesos.subscribed:
        draft = _reconcile_recorded(read_state(draft))
        return _reconcile_everything(_reconcile_out_of_reach(draft))
    if mesos.subscribing:
        return draft
    if draft.now < mesos.subscribe_at:
        return draft.waking(mesos.subscribe_at)
    if not draft.model.record.framework_id and obstacle(draft.model):
        # A new framework that may not begin anything would only stand in the master's books.
        return read_state(draft)
    return draft.having(mesos=evolve(mesos, subscribing=True)).asking(
        Subscribe(framework_id=draft.model.record.framework_id)
    )


def _load(draft: Draft) -> Draft:
    store = draft.model.store
    if draft.now < store.load_at:
        return draft.waking(store.load_at)
    return draft.having(store=evolve(store, loading=True)).asking(LoadRecord())


def read_state(draft: Draft) -> Draft:
    """Read the master's state until it shows nothing that a bootstrap would have to wait for, and
    for as long as the record is made of it; with growing waits, as it may be large."""
    mesos = draft.model.mesos
    wanted = (
        mesos.state is None
        or draft.model.store.rebuilding
        or obstacle(draft.model)
        or _registrations_matter(draft.model)
    )
    if mesos.reading_state:
        return draft
    if not wanted:
        return draft.having(mesos=evolve(mesos, state_wait=0.0)) if mesos.state_wait else draft
    if draft.now < mesos.read_state_at:
        return draft.waking(mesos.read_state_at)
    settings = draft.model.settings
    wait = min(mesos.state_wait * 2 or settings.reconcile_first, settings.reconcile_most)
    asked = evolve(mesos, reading_state=True, read_state_at=draft.now + wait, state_wait=wait)
    return draft.having(mesos=asked).asking(ReadMasterState(subscription=mesos.number))


def _registrations_matter(model: Model) -> bool:
    """Whether quorum is gone, and whether a member may serve depends on its agent being known to
    the master."""
    return bool(model.record.quorum_lost_at) and any(
        (status := model.tasks.get(task.id)) is not None
        and status.state in (TaskState.LOST, TaskState.UNKNOWN)
        for member in model.record.members
        for task in member.tasks
    )


def _reconcile_recorded(draft: Draft) -> Draft:
    """Ask for every recorded task not heard of yet, with growing waits (one question at a time)."""
    mesos, record = draft.model.mesos, draft.model.record
    if not mesos.unaccounted:
        return draft
    if draft.now < mesos.reconcile_at:
        return draft.waking(mesos.reconcile_at)
    pairs = tuple(
        (task.id, task.agent_id)
        for member in record.members
        for task in member.tasks
        if task.id in mesos.unaccounted
    )
    wait = min(mesos.reconcile_wait * 2, draft.model.settings.reconcile_most)
    asked = evolve(mesos, reconcile_at=draft.now + mesos.reconcile_wait, reconcile_wait=wait)
    return draft.having(mesos=asked).waking(asked.reconcile_at).asking(Reconcile(tasks=pairs))


def _reconcile_out_of_reach(draft: Draft) -> Draft:
    """Ask for recorded tasks that nobody vouches for, with growing waits.

    One that ended unseen is not told of again by itself: only an answer says that it is gone.
    """
    mesos, model = draft.model.mesos, draft.model
    if mesos.unaccounted or not model.out_of_reach:
        return draft
    pairs = tuple(
        (task.id, task.agent_id)
        for member in model.record.members
        for task in member.tasks
        if task.id in model.out_of_reach
    )
    if not pairs:
        return draft
    if draft.now < mesos.reconcile_away_at:
        return draft.waking(mesos.reconcile_away_at)
    again = draft.now + mesos.reconcile_away_wait
    wait = min(mesos.reconcile_away_wait * 2, model.settings.reconcile_most)
    asked = evolve(mesos, reconcile_away_at=again, reconcile_away_wait=wait)
    return draft.having(mesos=asked).waking(again).asking(Reconcile(tasks=pairs))


def _reconcile_everything(draft: Draft) -> Draft:
    """Once the recorded ones are accounted for, ask for all: the record may not know every task."""
    mesos = draft.model.mesos
    if mesos.unaccounted:
        return draft
    if draft.now < mesos.reconcile_all_at:
        return draft.waking(mesos.reconcile_all_at)
    again = draft.now + draft.model.settings.reconcile_all
    asked = evolve(mesos, reconcile_all_at=again)
    return draft.having(mesos=asked).waking(again).asking(Reconcile(tasks=()))


def obstacle(model: Model) -> str:
    """What the master's state shows that forbids to bootstrap, in words; "" when nothing.

    A record that has members knows its cluster; only an empty one could start a second cluster
    beside one that somebody else still remembers (the original's defect 5).
    """
    state, record = model.mesos.state, model.record
    if state is None:
        return "the master's state was not read yet"
    if record.members or record.served:
        return ""
    if state.outstanding_agents:
        return (
            f"{state.outstanding_agents} agents that the master remembers have not come back yet "
            "and may run members"
        )
    for framework in state.frameworks:
        tasks = sorted(task.id for task in framework.tasks)
        if tasks and framework.id != record.framework_id:
            return (
                f"framework {framework.id} of the same name has tasks ({', '.join(tasks)}): "
                "start with the record it was started with; or with -rebuild-record, if that is "
                "lost; or tear it down"
            )
    return ""
