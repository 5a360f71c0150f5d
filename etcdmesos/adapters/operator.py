"""Carries what the operator asks for into the core, and the core's answer back to who waits.

It enters as an event like any other and is answered by AnswerOperator.  What it means is the
core's; who may ask is the admin interface's.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from attrs import NOTHING, fields_dict, resolve_types

from etcdmesos.cluster.commands import AnswerOperator, Command
from etcdmesos.cluster.events import CommandDone, Event, OperatorAsked
from etcdmesos.errors import BadUsage
from etcdmesos.ports import Post

ANSWER_SECONDS = 10.0
"""More than any save of the record takes, after which the answer goes out."""


class Operator:
    """A CommandPort for AnswerOperator alone.  Safe to use from any thread."""

    carries_out: tuple[type, ...] = (AnswerOperator,)

    def __init__(self, post: Post[Event]) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[AnswerOperator]] = {}
        self._closed = False

    def ask(self, kind: type[OperatorAsked], told: Mapping[str, Any]) -> AnswerOperator:
        """The core's answer to `kind` with the fields `told`; waits at most ANSWER_SECONDS.

        Raises BadUsage when `told` does not fit, TimeoutError when there is no answer: what was
        asked for may be under way all the same.
        """
        number = next(self._numbers)
        event = _event(kind, number, told)
        answer: Future[AnswerOperator] = Future()
        with self._lock:
            if self._closed:
                return _ending(number)
            self._waiting[number] = answer
        self._post(event)
        try:
            return answer.result(ANSWER_SECONDS)
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def submit(self, command: Command) -> None:
        """Let the answer out to who waits for it, if anybody still does."""
        assert isinstance(command, AnswerOperator)
        self._answer(command)
        self._post(CommandDone(command=command))

    def close(self) -> None:
        """Nobody is kept waiting.  Returns at once."""
        with self._lock:
            self._closed = True
            left = list(self._waiting)
        for number in left:
            self._answer(_ending(number))

    def _answer(self, answer: AnswerOperator) -> None:
        with self._lock:
            waiting = self._waiting.pop(answer.number, None)
        if waiting is not None:
            waiting.set_result(answer)


def _ending(number: int) -> AnswerOperator:
    return AnswerOperator(number=number, accepted=False, text="this scheduler ends just now")


def _event(kind: type[OperatorAsked], number: int, told: Mapping[str, Any]) -> OperatorAsked:
    """Raises BadUsage."""
    wanted = {n: f for n, f in fields_dict(resolve_types(kind)).items() if n != "number"}
    if unknown := told.keys() - wanted.keys():
        known = ", ".join(wanted) or "nothing"
        raise BadUsage(f"{min(unknown)!r} means nothing here; what can be told: {known}")
    for name, field in wanted.items():
        if name not in told and field.default is NOTHING:
            raise BadUsage(f"{name!r} is missing")
        if name in told and type(told[name]) is not field.type:
            raise BadUsage(f"{name!r} must be {_IN_JSON[str(field.type)]}")
    return kind(number=number, **told)


_IN_JSON = {str(str): "a string", str(bool): "true or false", str(int): "a whole number"}
