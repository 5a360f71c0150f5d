"""The executor with a real etcd on the embedded Mesos, launched as a scheduler launches it."""

from __future__ import annotations

import json
import os
import signal
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.adapters.etcd_gateway import Gateway
from etcdmesos.embedded import EmbeddedMesos, running
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.resources import Resource
from etcdmesos.mesos.tasks import Task, task_info
from tests.embedded.conftest import QUICK
from tests.embedded.scheduler import Json, Scheduler, control
from tests.executor.test_daemon import gone
from tests.free_ports import free_port
from tests.real_etcd import PATIENCE, VERSIONS, binary, until

pytestmark = pytest.mark.real

TASK = "etcd-1-1"


@pytest.fixture
def mesos(tmp_path: Path) -> Iterator[EmbeddedMesos]:
    patient = {
        "executor_registration_timeout": 30.0,
        "executor_reregistration_timeout": 5.0,
        "executor_shutdown_grace_period": 10.0,
    }
    with running(tmp_path / "mesos", agents=1, **{**QUICK, **patient}) as mesos:
        yield mesos


def launch(scheduler: Scheduler) -> MemberSpec:
    offer = scheduler.offer()
    peer_port = free_port()
    host = offer["hostname"]
    spec = MemberSpec(
        name="etcd-1",
        generation=1,
        epoch=1,
        token="test",
        initial_cluster=f"etcd-1=http://{host}:{peer_port}",
        initial_cluster_state="new",
        scheme="http",
        host=host,
        peer_port=peer_port,
        client_port=free_port(),
        quota_bytes=16 << 20,
        grace_seconds=5.0,
    )
    small = (
        Resource(name="cpus", amount=0.1, tags={}),
        Resource(name="mem", amount=32.0, tags={}),
    )
    task = Task(
        id=TASK,
        name="etcd-server",
        agent_id=offer["agent_id"]["value"],
        executor_id=TASK,
        command=f"exec {sys.executable} -m etcdmesos.cli.executor -etcd-bin={binary(VERSIONS[-1])}",
        uris=(),
        resources=small,
        executor_resources=small,
        labels=(),
        discovery_name="etcd-server",
        ports=(),
        data=spec.to_json(),
        grace_seconds=5.0,
    )
    scheduler.accept(offer, task_info(task, scheduler.framework_id))
    return spec


def update(scheduler: Scheduler, state: str, since: int = 0, **wanted: Any) -> Json:
    def matches(event: Json) -> bool:
        status = event.get("update", {}).get("status", {})
        return status.get("state") == state and all(status.get(k) == v for k, v in wanted.items())

    status: Json = scheduler.wait(matches, since, 90.0)["update"]["status"]
    return status


def latest(scheduler: Scheduler) -> Json:
    told = [e["update"]["status"] for e in list(scheduler.events) if e["type"] == "UPDATE"]
    status: Json = told[-1]
    return status


def etcd_pid(status: Json) -> int:
    return int(json.loads(b64decode(status["data"])).get("pid", 0))


def test_launch_serve_kill(mesos: EmbeddedMesos) -> None:
    """The states a scheduler sees, in their order, and the executor's exit with status 0."""
    with Scheduler(mesos.master) as scheduler:
        spec = launch(scheduler)
        pid = etcd_pid(update(scheduler, "TASK_RUNNING", healthy=True))
        assert Gateway(spec.client_url, PATIENCE).status().serving_voter
        scheduler.call("KILL", task_id={"value": TASK})
        update(scheduler, "TASK_KILLED")
        assert gone(pid)
        assert scheduler.failure(TASK)["status"] == 0
        states = [e["update"]["status"]["state"] for e in scheduler.events if "update" in e]
        assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]


def test_shutdown_ends_it_in_order(mesos: EmbeddedMesos) -> None:
    """SHUTDOWN, the one call that agents enforce, finds etcd stopped before they have to."""
    with Scheduler(mesos.master) as scheduler:
        launch(scheduler)
        running_as = update(scheduler, "TASK_RUNNING")
        agent_id = running_as["agent_id"]
        scheduler.call("SHUTDOWN", executor_id={"value": TASK}, agent_id=agent_id)
        update(scheduler, "TASK_KILLED", source="SOURCE_EXECUTOR")
        assert gone(etcd_pid(running_as))


def test_a_killed_executor_leaves_no_etcd(mesos: EmbeddedMesos) -> None:
    """The agent says FAILED, and no member that nobody looks after goes on serving."""
    with Scheduler(mesos.master) as scheduler:
        launch(scheduler)
        pid = etcd_pid(update(scheduler, "TASK_RUNNING"))
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)
        failed = update(scheduler, "TASK_FAILED")
        assert failed["reason"] == "REASON_EXECUTOR_TERMINATED"
        until(lambda: gone(pid), "etcd is gone")


def test_the_agent_dies_and_comes_back(mesos: EmbeddedMesos) -> None:
    """etcd serves on; what happened meanwhile reaches the scheduler when the agent is back."""
    with Scheduler(mesos.master) as scheduler:
        spec = launch(scheduler)
        pid = etcd_pid(update(scheduler, "TASK_RUNNING", healthy=True))
        since = len(scheduler.events)
        control(mesos, "agent/kill", agent="agent1")
        assert Gateway(spec.client_url, PATIENCE).status().serving_voter
        os.kill(pid, signal.SIGKILL)
        control(mesos, "agent/return", agent="agent1")
        unwell = update(scheduler, "TASK_RUNNING", since, healthy=False)
        assert "signal 9" in unwell["message"]
        # The RUNNING from before may come once more, if the agent had no time to note that it was
        # acknowledged.
        until(lambda: etcd_pid(latest(scheduler)) not in (0, pid), "a new etcd is told of")
        assert latest(scheduler)["healthy"]
        scheduler.call("KILL", task_id={"value": TASK})
        update(scheduler, "TASK_KILLED", since)
