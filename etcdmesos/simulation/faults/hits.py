"""What can happen to somebody at a chosen moment, and when an order goes out.  No fault is defined
here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from etcdmesos import orders
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["HITS", "at_order", "hit"]

HITS = ("scheduler", "executor", "etcd", "pause", "disk", "agent")
"""Who dies; or the executor stands still, or its disk is full."""


def at_order(
    world: World, kind: type[orders.Order], happen: Callable[[orders.Order], object]
) -> None:
    """Call `happen` with the next order of that kind that goes out, before all faults end."""

    def act(command: Command) -> bool:
        if world.healed:
            return True
        order = orders.decode(command.data) if isinstance(command, SendMessage) else None
        if not isinstance(order, kind):
            return False
        happen(order)
        return True

    world.scheduler.watch(act)


def hit(world: World, what: str, task_id: str, seconds: float) -> None:
    """Let it happen to the executor of this task, or to the scheduler; what ends by itself does so
    after `seconds`.  Where no etcd runs, it is the agent that dies."""
    executor = world.executors.with_task(task_id)
    if what == "scheduler":
        world.scheduler.kill()
    elif executor is None:
        return
    elif what == "executor":
        executor.kill()
    elif what == "etcd" and executor.etcd is not None:
        executor.etcd.kill()
    elif what == "pause":
        executor.core.pause()
        world.undo_after(seconds, executor.core.resume)
    elif what == "disk":
        disk = executor.container.host.disk
        disk.full = True
        world.undo_after(seconds, lambda: setattr(disk, "full", False))
    else:
        agent = executor.container.host.name
        world.mesos.kill_agent(agent)
        world.undo_after(seconds, lambda: world.mesos.start_agent(agent))
