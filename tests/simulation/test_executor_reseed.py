"""The real executor in a simulated sandbox: orders lead where they lead with a real etcd."""

from __future__ import annotations

import pytest

from etcdmesos.executor.events import MessageReceived
from etcdmesos.orders import (
    Hold,
    MeasureCopy,
    Order,
    Release,
    Report,
    Seed,
    Standing,
    TakeSnapshot,
    Tool,
    encode,
)
from etcdmesos.simulation.etcd.data_directory import DataDirectory
from etcdmesos.simulation.etcd.process import EtcdProcess
from etcdmesos.simulation.executor_host import ExecutorHost
from tests.simulation.mesos.test_together import healthy
from tests.simulation.mesos.together import Together

TOOL = Tool(name="etcdutl", url="http://s/etcdutl", sha256="0")


class Survivor:
    """The one of three that is left."""

    def __init__(self, seed: int) -> None:
        self.world: Together = healthy(seed)
        first, *others = self.world.scheduler.model.record.members
        self.name, self.task = first.name, first.tasks[0].id
        for other in others:
            self.world.mesos.kill_executor(other.tasks[0].id)
        self.world.run(10.0)

    @property
    def host(self) -> ExecutorHost:
        found = self.world.executors.with_task(self.task)
        assert found is not None
        return found

    @property
    def etcd(self) -> EtcdProcess | None:
        return self.host.etcd

    def order(self, order: Order, standing: Standing, seconds: float = 30.0) -> Report:
        """Give the order; the report once it stands so."""
        self.host.core.post(MessageReceived(data=encode(order)))

        def told() -> Report | None:
            return self.host.core.model.reseed.told

        clock = self.world.clock
        clock.run_while(
            lambda: (report := told()) is None or report.standing is not standing,
            clock.now + seconds,
        )
        self.world.run(5.0)
        report = told()
        assert report is not None
        assert (report.standing, report.failed) == (standing, "")
        return report

    def data(self, below: str) -> DataDirectory:
        container = self.host.container
        found = container.host.disk.read(f"{container.sandbox}/{below}")
        assert isinstance(found, DataDirectory)
        return found


def runs(one: Survivor) -> bool:
    return one.etcd is not None


def hold(one: Survivor, generation: int = 2) -> Hold:
    return Hold(task_id=one.task, epoch=9, generation=generation, in_force=1)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_from_the_survivor_to_the_seed_and_back(seed: int, live: bool) -> None:
    """By a snapshot of the running etcd, or of a copy: a new cluster of one; undone, the data is
    what it was, and released the member runs on it."""
    one = Survivor(seed)
    if live:
        order = TakeSnapshot(task_id=one.task, epoch=9, generation=2)
        assert one.order(order, Standing.UNHELD).snapshot is not None
    report = one.order(hold(one), Standing.HELD)
    assert not runs(one)
    before = one.data(f"data/{one.name}")
    assert report.commit_index == before.hard_state.commit
    if not live:
        report = one.order(MeasureCopy(task_id=one.task, epoch=9, generation=2), Standing.HELD)
    assert report.snapshot is not None
    order_of_seed = Seed(
        task_id=one.task,
        epoch=9,
        generation=2,
        token="reseeded",
        tool=TOOL,
        snapshot_sha256=report.snapshot.sha256,
    )
    one.order(order_of_seed, Standing.SEEDED)
    assert one.data(f"aside/{one.name}-2") is before
    etcd = one.etcd
    assert etcd is not None
    assert etcd.raft.leader == etcd.raft.id
    assert f"{etcd.cluster_id:016x}" != report.cluster_id
    one.order(hold(one, 3), Standing.HELD)
    assert one.data(f"data/{one.name}") is before
    one.order(Release(task_id=one.task, epoch=9, generation=3, in_force=1), Standing.UNHELD)
    assert runs(one)
