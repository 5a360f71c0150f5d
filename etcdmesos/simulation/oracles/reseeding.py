"""Oracles on reseeding: when it may begin, how it goes, and that nothing is destroyed by it.

What is decided is judged by what the scheduler was told; what really runs, by what was started.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos import orders
from etcdmesos.cluster.episode import Reseed, Stage
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Kind, Record, Role, Step
from etcdmesos.cluster.settings import ReseedPolicy
from etcdmesos.simulation.facts import (
    ClusterForced,
    Committed,
    DataMoved,
    DataRemoved,
    EtcdStarted,
    Settled,
    Stored,
)
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.oracles.restore_books import under_way
from etcdmesos.simulation.oracles.told import FRESH_INTERVALS, Told, names_a_leader
from etcdmesos.simulation.promises import Promise

# 7: when it may begin


@oracle(Promise.RESEED, Stored)
def reseeds_only_when_quorum_is_gone(books: Books, fact: Stored) -> Iterator[str]:
    """An attempt begins, and goes on to hold and to seed, only while nothing says that the old
    quorum serves; unasked, only after it was watched for the time-out, or the dead leave none."""
    before = books.durable.reseed if books.durable is not None else None
    reseed, told, record = fact.record.reseed, books.to(fact.process), fact.record
    if reseed is None or not _goes_on(before, reseed):
        return
    if not told.subscribed or not told.leads:
        yield f"{reseed.stage.value} by a scheduler that is not connected"
    dead = _dead(told, record)
    for name in _leaders_named(told, books, record):
        yield f"{reseed.stage.value}, and {name} said lately that there is a leader"
    none_left = _no_quorum(record, dead)
    age = None if told.progress_at is None else told.now - told.progress_at
    if not none_left and age is not None and age < books.settings.probe_interval:
        yield f"{reseed.stage.value}, and a proposal was committed {age:.1f} s ago"
    well = {m.name for m in record.members if any(task.id in told.well for task in m.tasks)}
    begins = before is None or before.stage is Stage.RELEASING
    for names in _configurations(record) if begins and not none_left else ():
        if has_quorum(len(names & well), len(names)):
            yield f"begun, and Mesos and executors say that {', '.join(sorted(well))} are well"
    if begins and not reseed.by_operator:
        yield from _too_early(books, told, none_left=none_left)


def _too_early(books: Books, told: Told, *, none_left: bool) -> Iterator[str]:
    settings, watched = books.settings, told.now - told.signs_until
    if not settings.auto_reseed:
        yield "begun unasked, with -auto-reseed=false"
    elif not none_left and watched < settings.reseed_timeout - 0.001:
        yield f"begun after {watched:.1f} s of {settings.reseed_timeout:g} s that were watched"


@oracle(Promise.RESEED, Stored)
def others_are_dead_or_held(books: Books, fact: Stored) -> Iterator[str]:
    """A seed goes on record as proven safe only when in every configuration those neither known
    dead nor confirmed held are fewer than a quorum; unproven, only when policy or operator allow
    it and Mesos has given all the others up."""
    before = books.durable.reseed if books.durable is not None else None
    record, reseed, told = fact.record, fact.record.reseed, books.to(fact.process)
    if reseed is None or not _seeds_now(before, reseed):
        return
    if before is not None and before.generation != reseed.generation:
        yield f"a seed in generation {reseed.generation} without a hold in it"
    held = _held(told, record, reseed)
    safe = _no_quorum(record, _dead(told, record) | held)
    if reseed.proven and not safe:
        yield f"{reseed.seed} is to be the seed, called proven, and a quorum of others may serve"
    if safe:
        return
    policy = books.settings.reseed_policy is ReseedPolicy.TIMEOUT and books.settings.auto_reseed
    if not policy and not reseed.by_operator:
        yield f"{reseed.seed} is to be the seed, and a quorum of others may serve"
    for member in record.members:
        ids = {task.id for task in member.tasks}
        known = ids <= told.dead or member.name in held or not ids
        if member.role is Role.VOTER and not known and not ids & told.away.keys():
            yield f"{reseed.seed} is to be the seed while Mesos vouches for {member.name}"


@oracle(Promise.RESEED, Committed)
def the_proven_serve_alone(books: Books, fact: Committed) -> Iterator[str]:
    """Once a seed that was called proven safe has started, no cluster before it commits."""
    generation = books.generation_of_token.get(fact.token, 0)
    for flip in books.flips.values():
        if flip.generation > generation and flip.seed.proven and not fact.by_hand:
            yield f"{fact.token} commits beside generation {flip.generation}, called proven safe"
            return


@oracle(Promise.RESEED, Stored)
def reseeds_are_told(books: Books, fact: Stored) -> Iterator[str]:
    """The write that puts the new cluster in the old one's place says when, from whom, at which
    revision, and whether a second one may serve."""
    before, after = books.durable, fact.record
    if before is None or before.reseed is None or before.generation == after.generation:
        return
    reseed, told = before.reseed, after.reseeds[-1] if after.reseeds else None
    if told is None or told.generation != after.generation:
        yield f"generation {after.generation} is in force, and nothing tells of the reseed"
        return
    if told.proven != reseed.proven:
        yield f"told as {'proven' if told.proven else 'unproven'}, and it was not"
    if told.member != reseed.seed or reseed.chosen is None:
        yield f"told to be from {told.member}, and {reseed.seed} was the seed"
    elif told.revision != reseed.chosen.revision or told.highest_revision < told.revision:
        yield f"told to be at revision {told.revision}, and it is {reseed.chosen.revision}"


# 8: hold, seed, verify


@oracle(Promise.SEED, Stored)
def the_best_is_the_seed(books: Books, fact: Stored) -> Iterator[str]:
    """The seed has the highest commit index of all held voters that have not failed."""
    before = books.durable.reseed if books.durable is not None else None
    record, reseed, told = fact.record, fact.record.reseed, books.to(fact.process)
    if reseed is None or reseed.member or not _seeds_now(before, reseed):
        return
    reports = {
        member.name: report
        for member in record.members
        if member.name not in reseed.failures and member.role is Role.VOTER
        for report in [told.reports.get(member.tasks[-1].id if member.tasks else "")]
        if report is not None and report.generation == reseed.generation
        if report.standing in (orders.Standing.HELD, orders.Standing.MEASURING)
    }
    if reseed.seed not in reports:
        return
    best = max(reports, key=lambda name: _committed(reports[name]))
    if _committed(reports[best]) > _committed(reports[reseed.seed]):
        have = _committed(reports[best]), _committed(reports[reseed.seed])
        yield f"{reseed.seed} has {have[1]} and is to be the seed; {best} has {have[0]}"


@oracle(Promise.SEED, EtcdStarted)
def the_held_stay_down(_books: Books, fact: EtcdStarted) -> Iterator[str]:
    """No etcd is started on the data of a member that is held."""
    if fact.held:
        yield f"{fact.executor} starts an etcd, and its member is held"


@oracle(Promise.SEED, EtcdStarted)
def holds_come_before_seeds(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """When a seed that is called proven safe starts, no quorum of the old cluster runs."""
    record, reseed = books.durable, books.seeds.get(fact.generation)
    if record is None or reseed is None or not reseed.proven:
        return
    if fact.generation <= record.generation:
        return  # it is the cluster in force
    running = {
        one.member
        for executor, one in books.running.items()
        if executor != fact.executor and one.generation <= record.generation
    }
    for names in _configurations(record):
        if has_quorum(len(names & running), len(names)):
            yield f"{fact.member} starts as the seed while {', '.join(sorted(running))} run"
            return


@oracle(Promise.SEED, EtcdStarted)
def seeds_are_new_clusters(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """A seed starts on restored data: another cluster id, itself alone, a generation of its own; it
    is the one on record, and no other seed runs."""
    record = books.durable
    if record is None or not record.served or fact.generation <= record.generation:
        return
    if fact.generation in books.restores.attempts:
        return  # see `restored_clusters_are_new`
    reseed = books.seeds.get(fact.generation)
    if reseed is None or reseed.seed != fact.member:
        yield f"{fact.member} starts as a seed, and {reseed.seed if reseed else 'nobody'} is one"
        return
    if fact.cluster_id in ("", record.cluster_id):
        yield f"{fact.member} starts as a seed on data of cluster {fact.cluster_id or 'none'}"
    if fact.voters != 1:
        yield f"{fact.member} starts as a seed, and its data list {fact.voters} voters"
    for executor, one in books.running.items():
        other = one.generation > record.generation and executor != fact.executor
        if other and reseed.proven:
            yield f"{fact.member} starts as a seed while {one.member} runs as one"


@oracle(Promise.SEED, EtcdStarted, ClusterForced)
def only_copies_are_forced(_books: Books, fact: EtcdStarted | ClusterForced) -> Iterator[str]:
    """--force-new-cluster is only ever run on a copy."""
    if isinstance(fact, ClusterForced):
        if fact.own:
            yield f"--force-new-cluster is run on {fact.path}"
    elif fact.forced:
        yield f"{fact.executor} starts its etcd with --force-new-cluster"


@oracle(Promise.SEED, Stored)
def announced_when_verified(books: Books, fact: Stored) -> Iterator[str]:
    """A new cluster takes the old one's place only once it was seen to lead itself, to list itself
    alone, and to commit."""
    before, after, told = books.durable, fact.record, books.to(fact.process)
    if before is None or before.generation == after.generation:
        return
    if before.reseed is None and under_way(before) is None:
        return
    restored = next((member.name for member in before.members), "nobody")
    name = before.reseed.seed if before.reseed is not None else restored
    word, listing = told.words.get(name), told.listing
    if [member.name for member in after.members] != [name]:
        yield f"the new cluster is recorded with others than {name}"
    if word is None or word.health.cluster_id in ("", before.cluster_id):
        yield f"{name} is announced, and has not answered as another cluster"
        return
    if word.health.leader != word.health.member_id:
        yield f"{name} is announced, and does not lead itself"
    if listing is None or listing.cluster_id != word.health.cluster_id:
        yield f"{name} is announced, and nobody has read whom it lists"
    elif [entry.id for entry in listing.members] != [word.health.member_id]:
        yield f"{name} is announced, and lists others"
    if told.progress_of != name or told.progress_at is None or told.progress_at < told.seeding_at:
        yield f"{name} is announced, and was not seen to commit"


@oracle(Promise.SEED, Stored)
def attempts_have_their_own_generations(books: Books, fact: Stored) -> Iterator[str]:
    """Every seed that is tried, and the release after it, has a generation of its own, above all
    before."""
    before, reseed = books.durable, fact.record.reseed
    if before is None or reseed is None:
        return
    if reseed.generation <= before.generation:
        yield f"an attempt in generation {reseed.generation}; {before.generation} is in force"
    held = before.reseed is not None and before.reseed.stage is not Stage.RELEASING
    again = before.reseed is not None and before.reseed.generation == reseed.generation
    if reseed.stage is Stage.RELEASING and held and again:
        yield f"a release in generation {reseed.generation}, as the holds before it"
    known = books.seeds.get(reseed.generation)
    if known is not None and reseed.seed not in ("", known.seed):
        yield f"{known.seed} and {reseed.seed} are both seeds of generation {reseed.generation}"
    if known is not None and reseed.stage is not Stage.SEEDING:
        yield f"{reseed.stage.value} in generation {reseed.generation}, which had its seed"


@oracle(Promise.SEED, DataMoved, DataRemoved, Settled)
def what_is_set_aside_is_kept(
    books: Books, fact: DataMoved | DataRemoved | Settled
) -> Iterator[str]:
    """Data that were set aside are the same, to the byte, when they come back and at the end; only
    what failed as a seed is removed before all has been well for a day, which no run lasts."""
    if isinstance(fact, DataRemoved):
        if fact.path in books.aside and "/failed-" not in fact.path:
            yield f"{fact.path} is removed"
        return
    if isinstance(fact, Settled):
        for path, content in books.aside.items():
            if fact.data.get(path) != content and "/failed-" not in path:
                yield f"{path} {'is another' if path in fact.data else 'is gone'}"
        return
    kept = books.aside.get(f"{fact.host}:{fact.source}")
    if kept is not None and kept != fact.content:
        yield f"{fact.source} is not what was set aside"


# What was told, made of it independently of the planner


def _goes_on(before: Reseed | None, after: Reseed) -> bool:
    """Whether the write begins an attempt or takes it further towards a seed."""
    if after.stage is Stage.RELEASING:
        return False
    if before is None or before.stage is Stage.RELEASING:
        return True
    return before.stage is not after.stage and before.stage is not Stage.SEEDING


def _seeds_now(before: Reseed | None, after: Reseed) -> bool:
    """Whether the write is the one that says who becomes the seed of its generation."""
    if after.stage is not Stage.SEEDING:
        return False
    known = (before.stage, before.generation) if before is not None else None
    return known != (after.stage, after.generation)


def _dead(told: Told, record: Record) -> set[str]:
    return {
        m.name for m in record.members if m.tasks and {task.id for task in m.tasks} <= told.dead
    }


def _held(told: Told, record: Record, reseed: Reseed) -> set[str]:
    held = set()
    for member in record.members:
        report = told.reports.get(member.tasks[-1].id if member.tasks else "")
        if report is None or (report.epoch, report.generation) != (record.epoch, reseed.generation):
            continue
        if report.standing in (orders.Standing.HELD, orders.Standing.MEASURING):
            held.add(member.name)
    return held


def _leaders_named(told: Told, books: Books, record: Record) -> Iterator[str]:
    """Members that say, as of their last probe, that there is a leader which may live."""
    limit = FRESH_INTERVALS * books.settings.probe_interval
    gone = _dead(told, record)
    dead = {m.id for m in record.members if m.name in gone}
    for name, seen in told.words.items():
        word = seen.health
        survives = record.member(name) is not None and name not in gone
        ours = survives and word.cluster_id == record.cluster_id
        lately = told.now - seen.at <= limit
        if ours and lately and names_a_leader(word) and word.leader not in dead:
            yield name


def _configurations(record: Record) -> list[set[str]]:
    """The voters of every configuration that may be in force."""
    voters = {
        m.name
        for m in record.members
        if m.role is Role.VOTER and m.step not in (Step.ADDING, Step.GONE)
    }
    voters |= {f"member {one}" for one in record.foreign_voters}
    change = record.change
    if change is None or change.kind is Kind.ADD:
        return [voters]
    subject = {change.member or f"member {change.id}"}
    return [voters | subject, voters - subject]


def _no_quorum(record: Record, out_of_the_way: set[str]) -> bool:
    return not any(
        has_quorum(len(names - out_of_the_way), len(names)) for names in _configurations(record)
    )


def _committed(report: orders.Report) -> int:
    shown = report.snapshot.applied_index if report.snapshot is not None else 0
    return max(report.commit_index, shown)
