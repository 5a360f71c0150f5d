"""What the cluster is waiting for, in one sentence, at any moment.  For people; nothing parses
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcdmesos.cluster import placement
from etcdmesos.cluster.backups.preceding import awaited
from etcdmesos.cluster.backups.telling import remedy
from etcdmesos.cluster.bootstrap import hopeless
from etcdmesos.cluster.constraints import tally
from etcdmesos.cluster.findings import findings
from etcdmesos.cluster.health import Assessment, assess, leader_ended
from etcdmesos.cluster.links import obstacle
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.rebuild import obstacle_to_rebuild
from etcdmesos.cluster.record import Kind, Step
from etcdmesos.cluster.repairs import ailments, learner, strangers
from etcdmesos.cluster.reseed import telling
from etcdmesos.cluster.restore.permission import automatic
from etcdmesos.cluster.restore.telling import of_the_failure, of_the_restore, places
from etcdmesos.cluster.settings import Errand
from etcdmesos.cluster.shunning import avoided_at
from etcdmesos.cluster.uninstall import framework_is_over, tasks_left


def why(model: Model, now: float) -> str:
    """What `model` is waiting for at `now`."""
    # What others said, and is quoted in it, may have many lines.
    return " ".join(_SENTENCES[model.phase](model, now).split())


def _found(model: Model, state: Assessment, now: float) -> list[str]:
    return [finding.text for finding in findings(model, state, now)]


def _recovering(model: Model, _now: float) -> str:
    store, mesos = model.store, model.mesos
    if not model.leadership.held:
        return standing_by(model)
    if store.rebuilding:
        return f"rebuilds the record: {obstacle_to_rebuild(model)}"
    if mesos.removed and not model.record.uninstalling:
        name, framework = model.settings.cluster_name, model.record.framework_id
        return (
            f"Mesos has removed framework {framework} of cluster {name}, and with it every task: "
            f"-forget-cluster={name} puts the record aside, so that a new cluster can begin"
        )
    if not store.loaded:
        return "waits for the record" + (f": {store.reason}" if store.reason else "")
    looked = not (mesos.subscribed or model.record.framework_id) and mesos.state is not None
    if looked and (found := obstacle(model)):
        return f"registers no framework: {found}"
    if not mesos.subscribed:
        return "waits for the Mesos master" + (f": {mesos.reason}" if mesos.reason else "")
    if mesos.unaccounted:
        return f"waits to hear of {', '.join(sorted(mesos.unaccounted))} from the Mesos master"
    return "waits for the Mesos master's state"


def standing_by(model: Model) -> str:
    """Why this scheduler does not act, though nothing is amiss with the cluster."""
    leadership = model.leadership
    said = f": {leadership.reason}" if leadership.reason else ""
    if leadership.epoch:
        return f"changes nothing until its leadership is confirmed{said}"
    record = f"; the record cannot be shown: {model.store.reason}" if model.store.reason else ""
    if leadership.holder:
        return f"stands by; {leadership.holder} holds the cluster{record}"
    return f"stands by; waits for the election{said}{record}"


def _bootstrapping(model: Model, now: float) -> str:
    members = model.record.members
    if failed := of_the_failure(model):
        return f"does not bootstrap empty: {failed}"
    if not members:
        return _gathering(model, now)
    if any(m.step is Step.REMOVING for m in members):
        left = [m.name for m in members if not model.ended(m)]
        return f"gives up this attempt and waits for the end of {', '.join(left)}"
    reason = hopeless(model, now)
    if reason:
        return f"gives up this attempt: {reason}"
    found = _found(model, assess(model, now), now)
    return "waits for the gang to serve" + (f": {'; '.join(found)}" if found else "")


def _gathering(model: Model, now: float) -> str:
    if blocked := obstacle(model):
        return f"does not bootstrap: {blocked}"
    if now < model.retry_at:
        attempts = model.record.failed_attempts
        return f"pauses before attempt {attempts + 1} to bootstrap{_before(model)}"
    size = model.settings.cluster_size
    offers = [held.offer for held in model.offers.values()]
    room = placement.room(offers, size, model.settings)
    excluded = _excluded(model, size)
    return f"waits for offers: {room} of {size} members have a place{excluded}{_before(model)}"


def _excluded(model: Model, count: int) -> str:
    """Which constraints keep the next `count` members off agents that have room."""
    offers = [held.offer for held in model.offers.values()]
    held = placement.excluded(offers, count, model.settings, model.record.members)
    said = tally({**model.ruled_out, **held})
    return f" ({said})" if said else ""


def _before(model: Model) -> str:
    return f" (before: {model.setback})" if model.setback else ""


def _healthy(model: Model, now: float) -> str:
    size = model.settings.cluster_size
    sentence = "nothing: " + (f"all {size} members serve" if size > 1 else "its one member serves")
    noted = "; ".join([*_found(model, assess(model, now), now), *_stuck(model, now)])
    return sentence + (f", but {noted}" if noted else "")


def _degraded(model: Model, now: float) -> str:
    state = assess(model, now)
    serving = "serves" if state.serving else "does not serve"
    counted = f"{serving} with {len(state.agreeing)} of {model.settings.cluster_size} members"
    waits = [*_found(model, state, now), *_stuck(model, now)]
    if lost := telling.of_the_loss(model, now):
        waits.insert(0, lost)
    return f"{counted}: {'; '.join(waits) or 'waits for a stable leader'}"


def _foreign(model: Model) -> list[str]:
    """Started members on etcd's list that are none of ours: only the operator may remove those."""
    listing, record = model.membership.listing, model.record
    if listing is None or listing.cluster_id != record.cluster_id:
        return []
    return [
        f"etcd lists {entry.name} ({entry.id}), which is none of ours"
        for entry in strangers(record, listing)
        if entry.name
    ]


def _stuck(model: Model, now: float) -> list[str]:
    """What keeps the next repair from starting."""
    record, view = model.record, model.membership
    if record.change is not None:
        return []
    if view.listing is not None and view.listing.cluster_id != record.cluster_id:
        return []  # which is a finding
    waits = _foreign(model)
    if len(record.members) < record.target_size:
        waits.append("waits until somebody removes it" if waits else _lacking(model, now))
    elif leader_ended(model, assess(model, now).leader):
        waits.append("waits for another leader")
    elif waiting := awaited(model, now):
        waits.append(waiting)
    elif ailments(model, now) and view.listing:
        waits.append("no member can be removed while the others are no quorum of the rest")
    if view.failure:
        waits.append(f"etcd said: {view.failure}")
    return waits


def _lacking(model: Model, now: float) -> str:
    """What is missing for another member."""
    settings, members = model.settings, model.record.members
    if now < model.attempts.until:
        failures = model.attempts.failures
        return f"pauses before it adds a member: {failures} failed in a row{_before(model)}"
    avoided = avoided_at(model.shunned, now)
    offers = [held.offer for held in model.offers.values()]
    others = [offer for offer in offers if offer.agent_id not in avoided]
    if placement.room(others, 1, settings, members):
        return "is about to add a member"
    if placement.room(offers, 1, settings, members):
        hosts = sorted({offer.hostname for offer in offers if offer.agent_id in avoided})
        failed = f"{', '.join(hosts)}, where members failed"
        return f"waits for another agent than {failed}{_before(model)}"
    # Their agents are no place for another member while they may run.
    past = sorted(model.kills) if model.agents_of_the_past() else []
    ended = f"the end of {', '.join(past)}, or for " if past else ""
    return f"waits for {ended}an offer with room for a member{_excluded(model, 1)}{_before(model)}"


def _reconfiguring(model: Model, now: float) -> str:
    state, change, view = assess(model, now), model.record.change, model.membership
    if change is None:
        joining = learner(model.record)
        doing = f"waits for {joining.name if joining else 'the learner'} to catch up"
    else:
        doing = f"{_DOING[change.kind]} {change.member or f'member {change.id}'}"
    said = f" (etcd said: {view.failure})" if view.failure else ""
    serving = "serves" if state.serving else "does not serve"
    size = model.settings.cluster_size
    counted = f"{doing}{said}; {serving} with {len(state.agreeing)} of {size} members"
    found = _found(model, state, now)
    if lost := telling.of_the_loss(model, now):
        found.insert(0, lost)
    return counted + (f": {'; '.join(found)}" if found else "")


_DOING = {
    Kind.ADD: "adds the learner",
    Kind.PROMOTE: "makes a voter of",
    Kind.REMOVE: "removes",
}


def _uninstalling(model: Model, _now: float) -> str:
    failed = f" (before: {model.errand.failure})" if model.errand.failure else ""
    if framework_is_over(model):
        return _uninstalled(model) + failed
    left = sorted(tasks_left(model))
    waits = f"the end of {', '.join(left)}" if left else "the end of the framework"
    return f"uninstalls the cluster: waits for {waits}{failed}"


def _uninstalled(model: Model) -> str:
    if model.settings.errand is Errand.UNINSTALL:
        return "uninstalls the cluster: deletes its record"
    name = model.settings.cluster_name
    return (
        f"cluster {name} is uninstalled; once no scheduler of it runs any more, -uninstall={name} "
        "deletes its record, and the next start begins a new cluster"
    )


def _lost(model: Model, now: float) -> str:
    said = automatic(model, now) or "is about to restore it"
    data = f"their data until collected: {places(model.record.members)}"
    more = [text for text in (of_the_failure(model), remedy(model)) if text]
    return "; ".join([f"every member is gone; {said}", data, *more])


_SENTENCES: Mapping[str, Callable[[Model, float], str]] = {
    "recovering": _recovering,
    "bootstrapping": _bootstrapping,
    "healthy": _healthy,
    "degraded": _degraded,
    "reconfiguring": _reconfiguring,
    "reseeding": lambda model, _now: telling.of_the_attempt(model),
    "restoring": of_the_restore,
    "lost": _lost,
    "uninstalling": _uninstalling,
}
