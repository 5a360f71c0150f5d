"""Orders as a scheduler gives them, and worlds in which they were carried out."""

from __future__ import annotations

from etcdmesos.orders import Discard, Hold, MeasureCopy, Release, Seed, TakeSnapshot, Tool
from tests.executor.world import TASK, World, health

TOOL = Tool(name="etcdutl", url="http://127.0.0.1:1/etcdutl", sha256="00")


def snapshot(generation: int = 2, *, epoch: int = 4) -> TakeSnapshot:
    return TakeSnapshot(task_id=TASK, epoch=epoch, generation=generation)


def hold(generation: int = 2, *, epoch: int = 4, in_force: int = 1) -> Hold:
    return Hold(task_id=TASK, epoch=epoch, generation=generation, in_force=in_force)


def measure(generation: int = 2) -> MeasureCopy:
    return MeasureCopy(task_id=TASK, epoch=4, generation=generation)


def seed(world: World, generation: int = 2, *, sha256: str = "") -> Seed:
    """For the snapshot that the executor has reported."""
    saved = world.report.snapshot if world.reports else None
    return Seed(
        task_id=TASK,
        epoch=4,
        generation=generation,
        token=f"demo/f/{generation}",
        tool=TOOL,
        snapshot_sha256=sha256 or (saved.sha256 if saved else "none"),
    )


def release(generation: int = 2, *, in_force: int = 1) -> Release:
    return Release(task_id=TASK, epoch=4, generation=generation, in_force=in_force)


def discard(before: int, *, in_force: int = 1) -> Discard:
    return Discard(task_id=TASK, epoch=4, before=before, in_force=in_force)


def stop(world: World) -> None:
    """etcd ends as it was told to, if it had a choice, and everything else is carried out."""
    world.settle()
    if world.etcd_run is not None:
        world.etcd_exits(0)
        world.settle()


def surviving() -> World:
    """A member that served, and has lost its leader."""
    world = World()
    world.serve()
    world.health = health(leader="")
    world.pass_time(31.0)
    world.settle()
    return world


def held() -> World:
    """A member with a snapshot, held."""
    world = surviving()
    world.order(snapshot())
    world.settle()
    world.order(hold())
    stop(world)
    assert world.model.phase == "held"
    return world


def seeded() -> World:
    """A member that runs as the seed of generation 2."""
    world = held()
    world.order(seed(world))
    world.settle()
    return world
