"""Another framework of the same name: somebody once ran this cluster with another record.

Its tasks must keep ours from bootstrapping until an operator tears it down, which healing does.
Its member runs a real executor; its scheduler only launches, acknowledges and, at the end, tears
down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.launch import new_member, server_task
from etcdmesos.cluster.placement import choose
from etcdmesos.cluster.record import Record
from etcdmesos.simulation.mesos.options import FrameworkInfo
from etcdmesos.step import Event

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["Neighbour"]

PARTY = "neighbour"
MEMBER = "namesake-1"
AGAIN_AFTER = 1.0


class Neighbour:
    """The other framework, with one task."""

    def __init__(self, world: World) -> None:
        self.task_id = ""
        self._world = world
        self._framework_id = ""
        self._torn_down = False
        world.network.add_party(PARTY)
        info = FrameworkInfo(name=world.settings.framework_name)
        self._port = world.mesos.scheduler_port(PARTY, self._hear, info)

    def start(self) -> None:
        """Subscribe, and then launch on the first offer."""
        self._subscribe()

    def _subscribe(self) -> None:
        if not self._torn_down:
            self._port.submit(c.Subscribe(framework_id=self._framework_id))

    def tear_down(self) -> None:
        """The operator ends the framework, and tries until that is done."""
        if self._framework_id and not self._torn_down:
            self._port.submit(c.Teardown())
            self._world.clock.call_after(AGAIN_AFTER, self.tear_down)

    def _hear(self, event: Event) -> None:
        if isinstance(event, e.Subscribed):
            self._framework_id = event.framework_id
        elif isinstance(event, e.OffersReceived):
            self._use(event)
        elif isinstance(event, e.TaskUpdated) and event.status.uuid:
            self._port.submit(c.Acknowledge(status=event.status))
        elif isinstance(event, e.Disconnected):
            self._world.clock.call_after(AGAIN_AFTER, self._subscribe)
        elif isinstance(event, e.CommandDone) and isinstance(event.command, c.Teardown):
            self._torn_down = True

    def _use(self, event: e.OffersReceived) -> None:
        settings = self._world.settings
        places = choose(event.offers, 1, settings)
        if self.task_id or not places:
            unused = tuple(offer.id for offer in event.offers)
            self._port.submit(c.Decline(offer_ids=unused, refuse_seconds=1e6))
            return
        member = evolve(new_member(places[0], 0, 0, settings), name=MEMBER)
        task = evolve(member.tasks[0], id=f"{MEMBER}-1", executor_id=f"{MEMBER}-1")
        member = evolve(member, tasks=(task,))
        record = Record(
            cluster_name="neighbour",
            framework_name=settings.framework_name,
            framework_id=self._framework_id,
            target_size=1,
            members=(member,),
        )
        self.task_id = task.id
        launched = server_task(member, places[0], record, settings)
        self._port.submit(c.Launch(offer_ids=places[0].offer_ids, tasks=(launched,)))
