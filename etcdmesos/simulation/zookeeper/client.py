"""A process' ZooKeeper client: one session, kept up, and a new one when it expired.

What `adapters.zookeeper` makes of kazoo: a request is sent once; without a connection nothing is
asked, and one whose connection broke, or whose answer is late, was carried out or not.  Several
requests that belong together are a generator, written as if it could wait for each answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from attrs import define, field, frozen

from etcdmesos.errors import EtcdMesosError
from etcdmesos.simulation.channel import Channel, Channels
from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.process_clock import ProcessClock
from etcdmesos.simulation.zookeeper.requests import Request
from etcdmesos.simulation.zookeeper.service import ADDRESS, EXPIRED, Connect, ZooKeeper

__all__ = ["AnswerLost", "Client", "NotConnected", "Question", "Steps"]

T = TypeVar("T")
AGAIN_AFTER = 0.5
"""Seconds between two attempts to connect."""


class NotConnected(EtcdMesosError):
    """There is no connection: nothing was asked."""


class AnswerLost(EtcdMesosError):
    """Asked, and nobody can tell what became of it."""


@frozen
class Question:
    """A request, and how long to wait for its answer and, before that, for a connection."""

    request: Request
    seconds: float
    wait: float = 0.0


Steps = Generator[Question, Any, T]
"""Yields questions and is sent their answers; Refusal, NotConnected and AnswerLost are thrown in.
What it raises must be an EtcdMesosError."""


@define(eq=False)
class _Asked:
    """A question on its way; `done` is called once."""

    question: Question
    done: Callable[[Any], None] | None
    sent: bool = False
    timer: Timer | None = None

    def end(self, answer: Any) -> None:
        done, self.done = self.done, None
        if self.timer is not None:
            self.timer.cancel()
        if done is not None:
            done(answer)


@define(eq=False)
class Client:
    """Used once: `start`, then `close` or `abandon`."""

    _service: ZooKeeper
    _channels: Channels
    _clock: ProcessClock
    _party: str
    _number: int
    timeout: float
    """Seconds without a word after which the servers end the session."""
    _listeners: list[Callable[[], None]] = field(factory=list)
    _channel: Channel | None = None
    _session: int = 0
    _up: bool = False
    _heard_at: float = 0.0
    _asked: list[_Asked] = field(factory=list)

    @property
    def answer_seconds(self) -> float:
        """How long a question may take."""
        return self.timeout / 2

    @property
    def session(self) -> int | None:
        """The present session, None while there is no connection."""
        return self._session if self._up else None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the connection comes or goes, or watched children change."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        channel = self._channel = self._channels.open(self._party, ADDRESS[0])
        channel.client.on_end = lambda: self._clock.run(self._lost, channel)
        connect = Connect(
            self._session,
            self._number,
            self.timeout,
            channel.server,
            lambda: self._clock.run(self._tell),
        )
        self._service.network.call(
            self._party,
            ADDRESS,
            connect,
            self._deaf_after,
            lambda answer: self._clock.run(self._connected, channel, answer),
        )

    def run(self, steps: Steps[T], done: Callable[[T | EtcdMesosError], None]) -> None:
        """Ask one question after the other; `done` gets what comes of it, or what was raised."""
        self._go_on(steps, done, None)

    def close(self) -> None:
        """End the session, and with it its ephemeral znodes."""
        channel = self._channel
        if self._up and channel is not None:
            channel.client.send(self._service.end_session, self._session, channel.server)
        self.abandon()

    def abandon(self) -> None:
        """The process is gone; what it asked may still be carried out."""
        self._clock.end()
        if self._channel is not None:
            self._channel.client.close()

    # Connecting

    @property
    def _deaf_after(self) -> float:
        """kazoo notices within two thirds of the time-out that nobody answers."""
        return self.timeout * 2 / 3

    def _connected(self, channel: Channel, answer: Any) -> None:
        if channel is not self._channel:
            return
        if not isinstance(answer, int):
            if answer == EXPIRED:
                self._session = 0
            channel.client.close()
            self._clock.call_after(0.0 if answer == EXPIRED else AGAIN_AFTER, self.start)
            return
        self._session, self._up, self._heard_at = answer, True, self._clock.now
        for asked in tuple(self._asked):
            self._send(asked)
        self._tell()

    def _lost(self, channel: Channel) -> None:
        """The connection is gone; everything under way is unknown."""
        if channel is not self._channel or not self._up:
            return
        self._up = False
        channel.client.close()
        under_way = [asked for asked in self._asked if asked.sent]
        self._asked = [asked for asked in self._asked if not asked.sent]
        for asked in under_way:
            asked.end(AnswerLost("the connection to ZooKeeper was lost"))
        self._tell()
        self._clock.call_after(0.0, self.start)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    # Asking

    def _go_on(
        self, steps: Steps[T], done: Callable[[T | EtcdMesosError], None], answer: Any
    ) -> None:
        try:
            raised = isinstance(answer, EtcdMesosError)
            question = steps.throw(answer) if raised else steps.send(answer)
        except StopIteration as end:
            done(end.value)
        except EtcdMesosError as error:
            done(error)
        else:
            self._ask(question, lambda answer: self._go_on(steps, done, answer))

    def _ask(self, question: Question, done: Callable[[Any], None]) -> None:
        asked = _Asked(question, done)
        if not self._up and question.wait <= 0.0:
            asked.end(NotConnected("no connection to ZooKeeper"))
            return
        self._asked.append(asked)
        if self._up:
            self._send(asked)
        else:
            asked.timer = self._clock.call_after(
                question.wait, self._end, asked, NotConnected("no connection to ZooKeeper")
            )

    def _send(self, asked: _Asked) -> None:
        channel, seconds = self._channel, asked.question.seconds
        assert channel is not None
        if asked.timer is not None:
            asked.timer.cancel()
        asked.sent = True
        asked.timer = self._clock.call_after(seconds, self._late, asked, channel)
        channel.client.send(
            self._service.ask,
            self._session,
            channel.server,
            asked.question.request,
            lambda answer: self._clock.run(self._answered, asked, answer),
        )

    def _answered(self, asked: _Asked, answer: Any) -> None:
        self._heard_at = self._clock.now
        self._end(asked, answer)

    def _end(self, asked: _Asked, answer: Any) -> None:
        if asked in self._asked:
            self._asked.remove(asked)
        asked.end(answer)

    def _late(self, asked: _Asked, channel: Channel) -> None:
        seconds = asked.question.seconds
        left = max(0.0, self._deaf_after - seconds)
        self._clock.call_after(left, self._look, channel, self._clock.now - seconds)
        self._end(asked, AnswerLost(f"no answer from ZooKeeper within {seconds:g} s"))

    def _look(self, channel: Channel, since: float) -> None:
        """Give the connection up if nothing was heard over it since something was asked."""
        if self._heard_at < since:
            self._lost(channel)
