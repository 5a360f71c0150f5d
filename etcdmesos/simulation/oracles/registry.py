"""How oracles are registered and asked.  None is defined here.

An oracle is a function of (books, fact) that yields what is wrong, in words; most yield nothing.
It judges facts of the kinds it names, after the books have heard what was told and before they note
what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import frozen

from etcdmesos.simulation.facts import Fact
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.promises import Promise, PromiseBroken

__all__ = ["Judge", "Oracle", "oracle", "registered"]

Judgement = Callable[[Books, Any], Iterator[str]]


@frozen
class Oracle:
    """One function that judges facts by one promise."""

    name: str
    promise: Promise
    kinds: tuple[type[Fact], ...]
    judge: Judgement


_registered: dict[str, Oracle] = {}


def oracle(promise: Promise, *kinds: type[Fact]) -> Callable[[Judgement], Judgement]:
    """Register a function as an oracle of `promise` for facts of these kinds."""

    def register(function: Judgement) -> Judgement:
        name = function.__name__
        assert name not in _registered, f"two oracles called {name}"
        _registered[name] = Oracle(name, promise, kinds, function)
        return function

    return register


def registered() -> tuple[Oracle, ...]:
    """All oracles, in the order of their definitions."""
    return tuple(_registered.values())


class Judge:
    """Shows facts to the oracles of one world."""

    def __init__(self, books: Books, oracles: Iterable[Oracle]) -> None:
        self.books = books
        self._by_kind: dict[type[Fact], list[tuple[str, Judgement, Promise]]] = {}
        for one in oracles:
            books.checks[one.name] = 0
            for kind in one.kinds:
                asked = self._by_kind.setdefault(kind, [])
                asked.append((one.name, one.judge, one.promise))

    def see(self, fact: Fact) -> None:
        """Raises PromiseBroken, quoting the promise, if an oracle finds fault with the fact."""
        books, checks = self.books, self.books.checks
        books.hear(fact)
        for name, judge, promise in self._by_kind.get(type(fact), ()):
            checks[name] += 1
            for detail in judge(books, fact):
                raise PromiseBroken(promise, name, detail)
        books.note(fact)
