"""Guards of `statecharts/cluster.yaml`: predicates on what is known, one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcdmesos.cluster.health import assess
from etcdmesos.cluster.membership import changing
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.record import Step
from etcdmesos.cluster.reseed.stages import pending
from etcdmesos.cluster.restore.permission import under_way
from etcdmesos.cluster.uninstall import framework_is_over


def links_lost(draft: Draft) -> bool:
    """Another may lead, the record is not in hand, or there is no subscription to the master."""
    model = draft.model
    mesos = model.mesos.subscribed or framework_is_over(model)
    return not (model.leadership.held and model.store.loaded and mesos)


def recovered(draft: Draft) -> bool:
    """All links are up, every recorded task is accounted for, the master's state was read."""
    mesos = draft.model.mesos
    return not links_lost(draft) and not mesos.unaccounted and mesos.state is not None


def uninstalls(draft: Draft) -> bool:
    """The cluster is to end, and there is nothing left to be found out."""
    if not draft.model.record.uninstalling:
        return False
    return recovered(draft) or (framework_is_over(draft.model) and not links_lost(draft))


def to_end(draft: Draft) -> bool:
    """The operator's word that this cluster is to end is on record."""
    return draft.model.record.uninstalling


def never_served(draft: Draft) -> bool:
    """No member of this cluster was ever seen serving."""
    return not draft.model.record.served


def all_gone(draft: Draft) -> bool:
    """The cluster has served, and every one of its members is confirmed dead."""
    model = draft.model
    # One that is being added has neither a task nor data yet.
    members = [m for m in model.record.members if m.step not in (Step.ADDING, Step.GONE)]
    return model.record.served and all(model.ended(member) for member in members)


def all_well(draft: Draft) -> bool:
    """As many voters as wanted serve, agree on a stable leader, and commit proposals."""
    return assess(draft.model, draft.now).healthy


def unwell(draft: Draft) -> bool:
    """Not all_well."""
    return not all_well(draft)


def late_to_join(draft: Draft) -> bool:
    """The cluster has served, but members are dead or have not joined within the limit."""
    model = draft.model
    # Whether it still serves does not matter: it is never given up any more.
    if not model.record.served:
        return False
    dead = any(model.ended(member) for member in model.record.members)
    return dead or draft.now >= model.attempt_since + model.settings.join_limit


def reconfigures(draft: Draft) -> bool:
    """A membership change is in flight, or a learner on its way."""
    return changing(draft.model)


def settled(draft: Draft) -> bool:
    """No membership change is in flight, and no learner on its way."""
    return not changing(draft.model)


def reseeds(draft: Draft) -> bool:
    """An attempt to reseed is on record, and there is something to do for it."""
    return pending(draft.model)


def reseed_over(draft: Draft) -> bool:
    """Nothing is to be done for any attempt to reseed."""
    return not pending(draft.model)


def restores(draft: Draft) -> bool:
    """A restore is on record that was not given up."""
    return under_way(draft.model) is not None


def restore_over(draft: Draft) -> bool:
    """No restore is under way."""
    return under_way(draft.model) is None


GUARDS: Mapping[str, Callable[[Draft], bool]] = {
    guard.__name__: guard
    for guard in (
        links_lost,
        recovered,
        uninstalls,
        to_end,
        never_served,
        all_gone,
        all_well,
        unwell,
        late_to_join,
        reconfigures,
        settled,
        reseeds,
        reseed_over,
        restores,
        restore_over,
    )
}
