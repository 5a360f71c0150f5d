"""Oracles on executors: what they start and what they say."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.simulation.facts import EtcdStarted, UpdateSent
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise


@oracle(Promise.EXECUTOR, EtcdStarted)
def one_etcd_per_executor(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """An executor starts an etcd only when its earlier one is gone."""
    if fact.executor in books.running:
        yield f"{fact.executor} starts a second etcd beside its first"


@oracle(Promise.EXECUTOR, UpdateSent)
def the_end_is_told_after_it(books: Books, fact: UpdateSent) -> Iterator[str]:
    """A terminal status is sent only when no etcd of this executor runs."""
    if fact.terminal and fact.executor in books.running:
        yield f"{fact.executor} says {fact.state} while its etcd runs"


@oracle(Promise.EXECUTOR, UpdateSent)
def running_means_serving(_books: Books, fact: UpdateSent) -> Iterator[str]:
    """TASK_RUNNING is first said of a voter that knows a leader."""
    if fact.state == "TASK_RUNNING" and not fact.serving:
        yield f"{fact.executor} says TASK_RUNNING of an etcd that never served"
