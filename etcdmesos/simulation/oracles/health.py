"""Oracles on what the scheduler says of the cluster, judged by what it was told.

The controller's own assessment is not asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from etcdmesos.cluster import report
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Role, Step
from etcdmesos.cluster.why import why
from etcdmesos.simulation.facts import Stepped
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.oracles.told import FRESH_INTERVALS, Told
from etcdmesos.simulation.promises import Promise

SAMPLE = 64
"""Sentences and reports are looked at in every so many steps, and whenever the phase changes."""


@oracle(Promise.HEALTHY, Stepped)
def healthy_is_seen(books: Books, fact: Stepped) -> Iterator[str]:
    """Called healthy only while all members were just seen serving under one leader, and a quorum
    just committed."""
    model = fact.step.model
    if model.phase != "healthy":
        return
    told, size = books.to(fact.process), model.record.target_size
    agreeing = _agreeing(model, told, books, fact.now)
    if agreeing < size:
        yield f"called healthy, and {agreeing} of {size} members were seen serving together"
    if not _progressing(told, books, fact.now):
        yield "called healthy, and no quorum was seen committing"


@oracle(Promise.HEALTHY, Stepped)
def serving_is_seen(books: Books, fact: Stepped) -> Iterator[str]:
    """/healthz says that the cluster serves only if a quorum of the configuration was seen so."""
    if not _sampled(books, fact, "serving_is_seen"):
        return
    model, told = fact.step.model, books.to(fact.process)
    good, line = report.health(model, fact.now)
    if not good:
        return
    voters = sum(
        m.role is Role.VOTER and m.step not in (Step.ADDING, Step.GONE)
        for m in model.record.members
    )
    agreeing = _agreeing(model, told, books, fact.now)
    if not has_quorum(agreeing, voters):
        yield f"said to serve ({line}), and {agreeing} of {voters} were seen doing so"
    if not _progressing(told, books, fact.now):
        yield f"said to serve ({line}), and no quorum was seen committing"


@oracle(Promise.WHY, Stepped)
def it_says_why(books: Books, fact: Stepped) -> Iterator[str]:
    """why() is one sentence, and the reports can be sent."""
    if not _sampled(books, fact, "it_says_why"):
        return
    sentence = why(fact.step.model, fact.now)
    if not sentence or "\n" in sentence:
        yield f"why() says {sentence!r}"
    json.dumps(report.stats(fact.step.model, fact.now))


def _sampled(books: Books, fact: Stepped, name: str) -> bool:
    changed = fact.step.model.phase != fact.before.phase
    return changed or books.checks[name] % SAMPLE == 1


def _agreeing(model: Model, told: Told, books: Books, now: float) -> int:
    """How many members said lately that they serve, under the leader that most of them name."""
    limit = FRESH_INTERVALS * books.settings.probe_interval + 1e-6
    votes: Counter[tuple[str, str]] = Counter()
    for member in model.record.members:
        seen = told.seen.get(member.name)
        dead = any(task.id in told.dead for task in member.tasks)
        if seen is None or dead or now - seen.at > limit or not seen.health.serving_voter:
            continue
        votes[seen.health.cluster_id, seen.health.leader] += 1
    return max(votes.values(), default=0)


def _progressing(told: Told, books: Books, now: float) -> bool:
    limit = FRESH_INTERVALS * books.settings.probe_interval + 1e-6
    return told.progress_at is not None and now - told.progress_at <= limit
