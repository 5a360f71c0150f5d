"""What can happen to somebody at a chosen moment.  No fault is defined here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["HITS", "hit"]

HITS = ("scheduler", "executor", "etcd", "pause", "disk", "agent")
"""Who dies; or the executor stands still, or its disk is full."""


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
