"""Oracles on bootstraps: none beside or after a cluster that somebody may have written to."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.commands import Launch
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.events import MemberProbed
from etcdmesos.cluster.quorum import quorum
from etcdmesos.cluster.record import Record, Step
from etcdmesos.cluster.restore.episode import Stage as RestoreStage
from etcdmesos.simulation.facts import EtcdStarted, Stepped, Stored
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.oracles.told import Told
from etcdmesos.simulation.promises import Promise


@oracle(Promise.BOOTSTRAP, Stored)
def served_is_for_ever(books: Books, fact: Stored) -> Iterator[str]:
    """Once on record as having served, it stays so, with its generation."""
    before, after = books.durable, fact.record
    if before is None or not before.served:
        return
    if not after.served:
        yield "the record forgets that the cluster has served"
    if after.generation not in (before.generation, *_being_seeded(before)):
        yield f"generation {after.generation} begins after {before.generation} has served"


def _being_seeded(record: Record) -> Iterator[int]:
    """The generations that a new cluster may be of."""
    reseed, restore = record.reseed, record.restore
    if reseed is not None and reseed.stage is Stage.SEEDING:
        yield reseed.generation
    if restore is not None and restore.stage is RestoreStage.SEEDING:
        yield restore.generation


@oracle(Promise.BOOTSTRAP, Stepped)
def serving_is_noted(_books: Books, fact: Stepped) -> Iterator[str]:
    """The step that sees a member of the recorded cluster serve records that it has served."""
    event, record = fact.event, fact.before.record
    if not isinstance(event, MemberProbed) or not fact.before.store.loaded:
        return
    member = record.member(event.member)
    ours = record.cluster_id in ("", event.health.cluster_id) and record.restore is None
    if member is None or member.step is Step.REMOVING or not ours:
        return
    if event.health.serving_voter and not fact.step.model.record.served:
        yield f"{event.member} serves, and the record does not say that the cluster has served"


@oracle(Promise.BOOTSTRAP, EtcdStarted)
def nothing_grows_beside_written_data(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """Once a client's write was acknowledged, no etcd of another cluster starts but the seed that
    is on record; and none without data."""
    known = any(fact.generation in of for of in (books.seeds, books.flips, books.restores.attempts))
    for key, write in books.acknowledged.items():
        if write.token != fact.token and (fact.founds or not known):
            yield f"{fact.member} founds {fact.token}, but {write.token} has acknowledged {key}"
            return


@oracle(Promise.BOOTSTRAP, Stepped)
def looks_around_before_a_bootstrap(books: Books, fact: Stepped) -> Iterator[str]:
    """A gang is launched only when the master shows no agents outstanding, no namesake's tasks."""
    launches = [x for x in fact.step.commands if isinstance(x, Launch)]
    state = books.to(fact.process).state
    known = (*fact.before.record.members, *fact.before.record.lost_members)
    # Beside members on record it is no bootstrap: one of them is replaced, or all are dead.
    if not launches or state is None or known:
        return
    if state.outstanding_agents:
        yield f"a bootstrap while {state.outstanding_agents} agents are outstanding"
    ours = fact.step.model.record.framework_id
    for framework in state.frameworks:
        if framework.tasks and framework.id != ours:
            yield f"a bootstrap beside the tasks of framework {framework.id}"


@oracle(Promise.BOOTSTRAP, Stepped)
def only_the_hopeless_are_given_up(books: Books, fact: Stepped) -> Iterator[str]:
    """The members of an attempt leave only if no quorum ever started, or all are dead unserved."""
    old, new = fact.before.record, fact.step.model.record
    if old is new or not fact.before.store.loaded or not fact.step.model.store.loaded:
        return
    wanted = {m.name for m in new.members if m.step is not Step.REMOVING}
    leaving = [m for m in old.members if m.step is not Step.REMOVING and m.name not in wanted]
    # Where others of them stay, one is replaced: that is for the promises on membership.
    if not leaving or any(m.name in wanted for m in old.members):
        return
    if old.restore is not None or leaving[0].name in {m.name for m in new.lost_members}:
        return  # those of a restore's attempt, or of the lost cluster, which are kept apart
    told = books.to(fact.process)
    if old.served or old.token in told.serving:
        yield f"{leaving[0].name} is given up, although the cluster has served"
    tasks = [{task.id for task in m.tasks} for m in old.members]
    if not all(ids <= told.dead for ids in tasks):
        started = _started(tasks, told)
        recorded = sum(m.step in (Step.JOINING, Step.VOTER) for m in old.members)
        if max(started, recorded) >= quorum(len(old.members)):
            yield f"given up although {max(started, recorded)} of {len(tasks)} had started"


def _started(tasks: list[set[str]], told: Told) -> int:
    return sum(bool(ids & told.started) for ids in tasks)
