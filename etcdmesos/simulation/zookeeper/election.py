"""A scheduler's part in the election, with the manners of `adapters.election`.

It posts the same events of the same happenings, and reads the same queue of znodes; what
leadership means is not known here.
"""

from __future__ import annotations

from attrs import define

from etcdmesos.cluster.events import (
    LeaderSeen,
    LeadershipGained,
    LeadershipLost,
    LeadershipSuspended,
)
from etcdmesos.errors import EtcdMesosError
from etcdmesos.ports import Post
from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.process_clock import ProcessClock
from etcdmesos.simulation.zookeeper.client import Client, NotConnected, Question, Steps
from etcdmesos.simulation.zookeeper.requests import (
    Children,
    Create,
    Exists,
    Get,
    NoNode,
    Request,
    Transaction,
)
from etcdmesos.simulation.zookeeper.tree import SEQUENCE_DIGITS
from etcdmesos.step import Event

__all__ = ["Election"]

LOOKS_PER_TIMEOUT = 6


@define(eq=False)
class Election:
    """Takes part from `start` until its process ends."""

    _client: Client
    _clock: ProcessClock
    _path: str
    """The parent of the queue's znodes, which is there."""
    _name: str
    """Who it is; no two processes have one."""
    _post: Post[Event]
    _held_in: int | None = None
    """The session in which leadership was gained and not lost since."""
    _suspended: bool = False
    _heard_at: float = 0.0
    """When the last question was asked that was answered."""
    _holder: str = ""
    _looking: bool = False
    _again: bool = False
    """Something has changed during a look."""
    _next: Timer | None = None

    def start(self) -> None:
        """Stand for election."""
        self._client.listen(self._wake)
        self._wake()

    def _wake(self) -> None:
        if self._looking:
            self._again = True
            return
        self._looking, self._again = True, False
        if self._next is not None:
            self._next.cancel()
        self._client.run(self._look(), self._looked)

    def _looked(self, pause: float | EtcdMesosError) -> None:
        assert isinstance(pause, float)
        self._looking = False
        self._next = self._clock.call_after(0.0 if self._again else pause, self._wake)

    def _look(self) -> Steps[float]:
        asked_at = self._clock.now
        # Before anything is asked: we may have stood still since the last look.
        self._give_up_if_too_late()
        try:
            again = yield from self._look_at_queue(asked_at)
        except EtcdMesosError as error:
            self._unheard(str(error))
            again = False
        return 0.0 if again else self._pause()

    def _pause(self) -> float:
        period = self._client.timeout / LOOKS_PER_TIMEOUT
        if self._held_in is None:
            return period
        return min(period, max(0.0, self._deadline - self._clock.now))

    @property
    def _deadline(self) -> float:
        return self._heard_at + self._client.timeout

    def _look_at_queue(self, asked_at: float) -> Steps[bool]:
        """Whether to look again at once."""
        names = yield self._ask(Children(self._path))
        queue = sorted(names, key=lambda name: int(name[-SEQUENCE_DIGITS:]))
        mine = next((name for name in queue if name.startswith(f"{self._name}-")), None)
        stat = None
        if mine is not None:
            stat = yield self._ask(Exists(f"{self._path}/{mine}"))
        session = self._client.session
        if session is None:
            raise NotConnected("the connection to ZooKeeper was lost")
        stands = stat is not None and stat.owner == session
        if self._held_in is not None and (not stands or session != self._held_in):
            self._lose("its session with ZooKeeper expired, or its place was removed")
        if not stands:
            yield from self._stand()
            return True
        self._heard_at = asked_at
        if queue[0] == mine:
            self._hold(session)
            return False
        return not (yield from self._see(queue[0]))

    def _stand(self) -> Steps[None]:
        own = Create(f"{self._path}/{self._name}-", self._name.encode(), True, True)
        yield Question(Transaction((own,)), self._client.answer_seconds)

    def _see(self, first: str) -> Steps[bool]:
        """Whether the holder could be named; it may be gone just now."""
        try:
            znode = yield self._ask(Get(f"{self._path}/{first}"))
        except NoNode:
            return False
        if self._held_in is not None:
            self._lose("another scheduler is before it in the queue")
        holder = znode.data.decode()
        if holder != self._holder:
            self._holder = holder
            self._post(LeaderSeen(holder=holder))
        return True

    def _ask(self, request: Request) -> Question:
        """A holder has to know soon that there is no answer."""
        limit = self._client.timeout / (LOOKS_PER_TIMEOUT / 2)
        if self._held_in is not None:
            limit = max(0.0, min(limit, self._deadline - self._clock.now))
        return Question(request, limit)

    # What comes of it

    def _hold(self, session: int) -> None:
        if self._held_in is not None and not self._suspended:
            return
        self._held_in, self._suspended, self._holder = session, False, ""
        self._post(LeadershipGained())

    def _unheard(self, reason: str) -> None:
        if self._held_in is None:
            return
        if not self._suspended:
            self._suspended = True
            self._post(LeadershipSuspended(reason=reason))
        self._give_up_if_too_late()

    def _give_up_if_too_late(self) -> None:
        if self._held_in is not None and self._clock.now >= self._deadline:
            self._lose(f"no answer from ZooKeeper for {self._client.timeout:g} s")

    def _lose(self, reason: str) -> None:
        self._held_in, self._suspended, self._holder = None, False, ""
        self._post(LeadershipLost(reason=reason))
