"""Faults of etcd processes and of the disks under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault, chosen

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd import EtcdProcess
    from etcdmesos.simulation.hosts import Host
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class EtcdKilled(Fault):
    """SIGKILL of one etcd; its executor lives."""

    def available(self, world: World) -> bool:
        return bool(world.etcd.processes)

    def inject(self, world: World) -> None:
        chosen(world.etcd.processes, self.pick).kill()


@frozen(kw_only=True)
class AllEtcdsKilled(Fault):
    """SIGKILL of every etcd at once."""

    def available(self, world: World) -> bool:
        return len(world.etcd.processes) > 1

    def inject(self, world: World) -> None:
        for process in tuple(world.etcd.processes):
            process.kill()


@frozen(kw_only=True)
class EtcdTerminated(Fault):
    """SIGTERM from somebody on the host."""

    def available(self, world: World) -> bool:
        return bool(_running(world))

    def inject(self, world: World) -> None:
        chosen(_running(world), self.pick).terminate()


@frozen(kw_only=True)
class LeaderKilled(Fault):
    """SIGKILL of a leader, as often as there is one."""

    def available(self, world: World) -> bool:
        return bool(_leaders(world))

    def inject(self, world: World) -> None:
        chosen(_leaders(world), self.pick).kill()


@frozen(kw_only=True)
class EtcdPaused(Fault):
    """SIGSTOP and, later, SIGCONT of one etcd."""

    def available(self, world: World) -> bool:
        return bool(_running(world))

    def inject(self, world: World) -> None:
        process = chosen(_running(world), self.pick)
        process.pause()
        world.undo_after(self.seconds, process.resume)


@frozen(kw_only=True)
class DiskSlow(Fault):
    """fsync takes a few hundred times as long on one host."""

    def available(self, world: World) -> bool:
        return bool(_agents(world))

    def inject(self, world: World) -> None:
        disk = chosen(_agents(world), self.pick).disk
        disk.slowness = 300.0

        def undo() -> None:
            disk.slowness = 1.0

        world.undo_after(self.seconds, undo)


@frozen(kw_only=True)
class DiskStalls(Fault):
    """No fsync ends on one host for a while."""

    def available(self, world: World) -> bool:
        return bool(_agents(world))

    def inject(self, world: World) -> None:
        disk = chosen(_agents(world), self.pick).disk
        disk.stalled_until = world.clock.now + min(self.seconds, 30.0)


@frozen(kw_only=True)
class SpaceAlarm(Fault):
    """etcd raises NOSPACE; the operator makes space later, and disarms it."""

    def available(self, world: World) -> bool:
        return any(p.ready for p in world.etcd.processes)

    def inject(self, world: World) -> None:
        process = chosen([p for p in world.etcd.processes if p.ready], self.pick)
        process.server.raise_alarm("NOSPACE")
        world.undo_after(self.seconds, lambda: world.operator.disarm("NOSPACE"))


def _running(world: World) -> list[EtcdProcess]:
    return [p for p in world.etcd.processes if not p.paused]


def _leaders(world: World) -> list[EtcdProcess]:
    return [
        p
        for p in world.etcd.processes
        if p.serving_peers and not p.paused and p.raft.leadership is not None
    ]


def _agents(world: World) -> list[Host]:
    return [world.hosts[name] for name in world.mesos.agents]
