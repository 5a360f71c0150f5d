"""Which of the schedulers of one name may act: an election in ZooKeeper.

    /path/<framework name>/election/<contender>-<sequence>     ephemeral; its data says who it is

The contender with the lowest sequence holds the cluster.  kazoo's recipe (Election, on its Lock) is
not used: it calls a function and says nothing of a session that is suspended or lost meanwhile, and
a contender whose removal failed stays in the queue before everybody, itself included (kazoo issue
732).  Here the queue is read again and again instead, which also notices a dead connection sooner
than kazoo does, and a process that was paused.

What leadership means is not known here: events are posted, and the controller decides.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from functools import partial

from attrs import frozen
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError

from etcdmesos.adapters.zookeeper import AnswerLost, NotConnected, ZooKeeperSession
from etcdmesos.adapters.zookeeper_lookout import Lookout
from etcdmesos.cluster.events import (
    Event,
    LeaderSeen,
    LeadershipGained,
    LeadershipLost,
    LeadershipSuspended,
)
from etcdmesos.ports import Clock, Post

logger = logging.getLogger(__name__)

_LOOKS_PER_TIMEOUT = 6
_SEQUENCE_DIGITS = 10
_CLOSE_SECONDS = 2.0


@frozen(kw_only=True)
class Contender:
    """What a scheduler says of itself to the others."""

    host: str
    pid: int
    admin: str
    """The address of its admin interface, host:port."""

    def to_bytes(self) -> bytes:
        return json.dumps({"host": self.host, "pid": self.pid, "admin": self.admin}).encode()

    @staticmethod
    def named_in(data: bytes) -> str:
        """Its name for people: `host, process 17, admin 10.0.0.1:23400`."""
        try:
            told = json.loads(data)
            return f"{told['host']}, process {told['pid']}, admin {told['admin']}"
        except (ValueError, TypeError, KeyError, RecursionError):
            return "a scheduler that does not say who it is"


class Election:
    """Takes part from `start` to `close`.

    Posts LeadershipGained when first in the queue; LeadershipSuspended when ZooKeeper could not be
    asked, at the latest half the session's time-out after the last answer; LeadershipLost when the
    session expired, or its time-out has passed since the question that was last answered (nobody
    can be elected sooner), also when this process stood still meanwhile.  In between
    LeadershipGained again.  LeaderSeen names another holder at each change.
    """

    def __init__(
        self,
        *,
        session: ZooKeeperSession,
        path: str,
        contender: Contender,
        post: Post[Event],
        clock: Clock = time.monotonic,
    ) -> None:
        """`path` is `/path/<framework name>`; it is made if missing."""
        self._session = session
        self._path = f"{path}/election"
        self._contender = contender
        self._post = post
        self._clock = clock
        # Found again by this name, should the answer to its creation be lost.
        self._name = f"{uuid.uuid4().hex}-"
        self._held_in: int | None = None
        """The session in which leadership was gained and not lost since."""
        self._suspended = False
        self._heard_at = 0.0
        """When the last question was asked that was answered."""
        self._holder: str | None = None
        self._unheard_because = ""
        self._lookout = Lookout("zookeeper-election", session, self._look)

    def start(self) -> None:
        """Stand for election."""
        self._lookout.start()

    def close(self) -> None:
        """Post no more.  The session's end takes us out of the queue.  2 s at the very most."""
        self._lookout.close(_CLOSE_SECONDS)

    def _look(self) -> float:
        asked_at = self._clock()
        # Before anything is asked: we may have stood still since the last look.
        self._give_up_if_too_late(asked_at)
        try:
            again = self._look_at_queue(asked_at)
        except (AnswerLost, NotConnected, KazooException) as error:
            self._unheard(str(error) or f"ZooKeeper answered {type(error).__name__}")
            again = False
        return 0.0 if again else self._pause()

    def _pause(self) -> float:
        period = self._session.timeout_seconds / _LOOKS_PER_TIMEOUT
        if self._held_in is None:
            return period
        return min(period, max(0.0, self._deadline - self._clock()))

    @property
    def _deadline(self) -> float:
        return self._heard_at + self._session.timeout_seconds

    def _look_at_queue(self, asked_at: float) -> bool:
        """Whether to look again at once.  Raises what `ask` raises."""
        queue = self._queue()
        own = [znode for znode in queue if znode.startswith(self._name)]
        session, mine = self._mine(own)
        if self._held_in is not None and (mine is None or session != self._held_in):
            self._lose("its session with ZooKeeper expired, or its place was removed")
        if mine is None:
            self._stand()
            return True
        self._heard_at, self._unheard_because = asked_at, ""
        if queue[0] == mine:
            self._hold(session)
            return False
        return not self._see(queue[0])

    def _queue(self) -> list[str]:
        """The contenders, the holder first."""
        seconds = self._limit()
        try:
            names: list[str] = self._session.ask(
                lambda client: client.get_children_async(self._path, watch=self._lookout.wake),
                seconds=seconds,
            )
        except NoNodeError:
            self._session.make_path(self._path)
            return []
        standing = [name for name in names if name[-_SEQUENCE_DIGITS:].isdecimal()]
        return sorted(standing, key=lambda name: int(name[-_SEQUENCE_DIGITS:]))

    def _mine(self, own: list[str]) -> tuple[int, str | None]:
        """(our session, the first of `own` that lives in it).

        A server that is behind may still show what an expired session left.
        """
        for name in own:
            znode = f"{self._path}/{name}"
            stat = self._session.ask(
                partial(KazooClient.exists_async, path=znode), seconds=self._limit()
            )
            # Asked for after the answer: what was answered in an earlier session does not count.
            session = self._connected_session()
            if stat is not None and stat.ephemeralOwner == session:
                return session, name
        return self._connected_session(), None

    def _connected_session(self) -> int:
        session = self._session.session_id
        if session is None:
            raise NotConnected("the connection to ZooKeeper was lost")
        return session

    def _stand(self) -> None:
        data = self._contender.to_bytes()
        try:
            self._session.ask(
                lambda client: client.create_async(
                    f"{self._path}/{self._name}", data, ephemeral=True, sequence=True
                )
            )
        except (NoNodeError, NodeExistsError):
            logger.debug("the election's znode was removed just now")

    def _limit(self) -> float:
        """Seconds for one question: a holder has to know soon that there is no answer."""
        limit = self._session.timeout_seconds / (_LOOKS_PER_TIMEOUT / 2)
        if self._held_in is None:
            return limit
        return max(0.0, min(limit, self._deadline - self._clock()))

    # What comes of it

    def _hold(self, session: int) -> None:
        if self._held_in is not None and not self._suspended:
            return
        self._held_in, self._suspended, self._holder = session, False, None
        self._post(LeadershipGained())

    def _see(self, first: str) -> bool:
        """Whether the holder could be named; it may be gone just now."""
        try:
            data, _ = self._session.ask(
                lambda client: client.get_async(f"{self._path}/{first}"), seconds=self._limit()
            )
        except NoNodeError:
            return False
        if self._held_in is not None:
            self._lose("another scheduler is before it in the queue")
        holder = Contender.named_in(data)
        if holder != self._holder:
            self._holder = holder
            self._post(LeaderSeen(holder=holder))
        return True

    def _unheard(self, reason: str) -> None:
        if reason != self._unheard_because:
            self._unheard_because = reason
            logger.warning("cannot take part in the election", extra={"reason": reason})
        if self._held_in is None:
            return
        if not self._suspended:
            self._suspended = True
            self._post(LeadershipSuspended(reason=reason))
        self._give_up_if_too_late(self._clock())

    def _give_up_if_too_late(self, now: float) -> None:
        if self._held_in is not None and now >= self._deadline:
            self._lose(f"no answer from ZooKeeper for {self._session.timeout_seconds:g} s")

    def _lose(self, reason: str) -> None:
        self._held_in, self._suspended, self._holder = None, False, None
        self._post(LeadershipLost(reason=reason))
