"""The plan for the end of a cluster, on the operator's word: its tasks, its framework, its record.

The word is recorded before the first task is asked to end, and every step is known again from the
outside (tasks, the master's answer, the record), so the next scheduler goes on wherever this one
ended.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.commands import DeleteRecord, PutRecordAside, Teardown
from etcdmesos.cluster.model import Draft, KillAsked, Model
from etcdmesos.cluster.settings import Errand


def framework_is_over(model: Model) -> bool:
    """Whether of a cluster being uninstalled only the record is left."""
    record = model.record
    return record.uninstalling and (model.mesos.removed or not record.framework_id)


def plan_uninstall(draft: Draft) -> Draft:
    """Let every task end in order, then the framework, which ends what is left, then the record.

    The record stays unless this process was started to uninstall: whoever comes next, a standby or
    what a supervisor starts again, would begin another cluster without it.
    """
    model, view = draft.model, draft.model.errand
    if view.busy:
        return draft
    if draft.now < view.again_at:
        return draft.waking(view.again_at)
    busy = evolve(view, busy=True)
    if framework_is_over(model):
        if model.settings.errand is not Errand.UNINSTALL:
            return draft
        return draft.having(errand=busy).asking(DeleteRecord())
    left = tasks_left(model)
    limit = model.phase_since + 2 * (model.settings.grace + model.settings.kill_again)
    if left and draft.now < limit:
        return draft.having(kills={**left, **model.kills}).waking(limit)
    return draft.having(errand=busy).asking(Teardown())


def tasks_left(model: Model) -> dict[str, KillAsked]:
    """Tasks that may run within reach.  Those out of reach end with the framework, when their
    agents come back."""
    recorded = {
        task.id: KillAsked.of(task)
        for member in model.record.members
        for task in member.tasks
        if not model.known_dead(task.id) and task.id not in model.out_of_reach
    }
    return {**recorded, **model.kills}


def plan_putting_aside(draft: Draft) -> Draft:
    """Put aside a record that nobody can read or use any more, if the operator said so."""
    model, view = draft.model, draft.model.errand
    if view.busy or not model.leadership.held:
        return draft
    forgotten = model.store.loaded and (model.mesos.removed or not model.record.framework_id)
    told = model.settings.errand is Errand.FORGET or view.forgetting
    if not (model.store.unreadable or (forgotten and told)):
        return draft
    return draft.having(errand=evolve(view, busy=True)).asking(PutRecordAside())
