"""The operator: what people do to etcd with etcdctl, behind the scheduler's back, and what they
order of the scheduler.

Only faults ask anything of him, and he asks etcd as any client does.  What he changed by hand is
written down, so that no scheduler is blamed for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import origin_of
from etcdmesos.backups.source import LATEST
from etcdmesos.cluster.events import BackupAsked, ReseedAsked, RestoreAsked
from etcdmesos.cluster.why import why
from etcdmesos.simulation.etcd import EtcdClient, EtcdProcess
from etcdmesos.simulation.etcd.client import Alarm
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.workload import PARTY

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["Operator"]

TIMEOUT = 5.0
LOOKS_EVERY = 20.0
"""Seconds between two looks at what is waited for."""
WAITED_FOR = "waits for POST /reseed"
GIVEN_UP = "was given up"
RESTORE_WAITED_FOR = ("every member is gone; waits for the operator", GIVEN_UP)
AGAIN = 5.0
"""Seconds between two attempts to disarm an alarm."""


class Operator:
    """Somebody with etcdctl on a client's machine."""

    def __init__(self, world: World) -> None:
        self.changed: set[str] = set()
        """Peer URLs that he added and ids of members that he removed."""
        self._world = world
        self._asked = 0
        self._client = EtcdClient(world.network, PARTY, TIMEOUT)

    def add(self, through: EtcdProcess, peer_url: str, *, learner: bool) -> None:
        """`etcdctl member add`, and nothing is ever started there."""
        self.changed.add(peer_url)
        url = through.options.client_url
        self._client.add_member(url, (peer_url,), _whatever, learner=learner)

    def remove(self, through: EtcdProcess, member: int) -> None:
        """`etcdctl member remove`."""
        self.changed.add(hexadecimal(member))
        self._client.remove_member(through.options.client_url, hexadecimal(member), _whatever)

    def reseed(self, member: str = "") -> None:
        """`POST /reseed`, whatever comes of it."""
        self._asked += 1
        self._world.scheduler.post(ReseedAsked(number=self._asked, member=member))

    def back_up(self) -> None:
        """`POST /backup`, whatever comes of it."""
        self._asked += 1
        self._world.scheduler.post(BackupAsked(number=self._asked))

    def restore(self, source: str = LATEST, *, older: bool = False) -> None:
        """`POST /restore`, whatever comes of it."""
        self._asked += 1
        asked = RestoreAsked(number=self._asked, source=source, older=older)
        self._world.scheduler.post(asked)

    def restorable(self) -> tuple[Manifest, ...]:
        """The backups that could be restored: those that `backup verify` finds whole, oldest first.
        After a loss those of the lost framework, for a new cluster all."""
        storage, record = self._world.storage, self._world.books.durable
        if storage is None or storage.refusing or record is None:
            return ()
        return storage.sound_ones(origin_of(record.framework_id) if record.served else "")

    def can_restore(self) -> bool:
        """Whether he answers what is lost, and there is a backup."""
        return self._world.options.restore_answered and bool(self.restorable())

    def restore_when_asked(self) -> None:
        """From now on, order a restore whenever that is what is waited for, and there is a backup:
        of the newest; and when nothing came of that, of the newest that is whole."""
        self._world.clock.call_after(LOOKS_EVERY, self.restore_when_asked)
        model, now = self._world.scheduler.model, self._world.scheduler.now
        sentence = why(model, now) if model is not None else ""
        if not any(words in sentence for words in RESTORE_WAITED_FOR):
            return
        whole = self.restorable()
        if whole and GIVEN_UP in sentence:
            self.restore(whole[-1].name)
        elif whole:
            self.restore(older=self._world.options.restore_older)

    def look_after(self) -> None:
        """From now on, order a reseed whenever that is what is waited for."""
        self._world.clock.call_after(LOOKS_EVERY, self.look_after)
        model, now = self._world.scheduler.model, self._world.scheduler.now
        if model is not None and WAITED_FOR in why(model, now):
            self.reseed()

    def disarm(self, alarm: str) -> None:
        """`etcdctl alarm disarm`, once there is space again; until it is done."""

        def answered(answer: Any) -> None:
            if isinstance(answer, GatewayError):
                self._world.clock.call_after(AGAIN, self.disarm, alarm)

        ready = [p for p in self._world.etcd.processes if p.ready]
        if ready:
            url = self._world.random.choice(ready).options.client_url
            self._client.disarm(url, Alarm(hexadecimal(0), alarm), answered)
        else:
            self._world.clock.call_after(AGAIN, self.disarm, alarm)


def _whatever(_answer: Any) -> None:
    """He looks no further."""
