"""The executor as a process, with a real etcd, under a scripted agent."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.member_spec import MemberSpec
from tests.executor.scripted_agent import ScriptedAgent
from tests.free_ports import free_port
from tests.real_etcd import PATIENCE, VERSIONS, binary, until

pytestmark = pytest.mark.real

TASK = "etcd-1-1"


class Daemon:
    """One executor, its agent and its sandbox."""

    def __init__(self, folder: Path, version: str = VERSIONS[-1]) -> None:
        self.sandbox = folder
        self.version = version
        self.agent = ScriptedAgent()
        self.process: subprocess.Popen[bytes] | None = None
        peer_port = free_port()
        self.spec = MemberSpec(
            name="etcd-1",
            generation=1,
            epoch=1,
            token="test",
            initial_cluster=f"etcd-1=http://127.0.0.1:{peer_port}",
            initial_cluster_state="new",
            scheme="http",
            host="127.0.0.1",
            peer_port=peer_port,
            client_port=free_port(),
            quota_bytes=16 << 20,
            grace_seconds=5.0,
        )

    def start(self, **environment: str) -> None:
        self.agent.start()
        variables = {
            "MESOS_AGENT_ENDPOINT": self.agent.endpoint,
            "MESOS_FRAMEWORK_ID": "f",
            "MESOS_EXECUTOR_ID": "e",
            "MESOS_DIRECTORY": str(self.sandbox),
            "MESOS_SANDBOX": str(self.sandbox),
            "MESOS_CHECKPOINT": "1",
            "MESOS_RECOVERY_TIMEOUT": "15mins",
            "MESOS_SUBSCRIPTION_BACKOFF_MAX": "500ms",
            "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "10secs",
            "PATH": os.environ["PATH"],
            # What etcd would take for an option of its own.
            "ETCD_NAME": "not-this",
            **environment,
        }
        with open(self.sandbox / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "etcdmesos.cli.executor",
                    f"-etcd-bin={binary(self.version)}",
                ],
                cwd=self.sandbox,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )

    def run(self) -> int:
        """From nothing to RUNNING; returns etcd's process id."""
        self.start()
        self.agent.next_subscription()
        self.agent.launch(TASK, self.spec.to_json())
        self.agent.next_update(state="TASK_STARTING")
        return self.running()

    def running(self) -> int:
        return int(said(self.agent.next_update(state="TASK_RUNNING", healthy=True))["pid"])

    def put(self, key: str) -> None:
        Gateway(self.spec.client_url, PATIENCE)._call(
            "/v3/kv/put", {"key": base64.b64encode(key.encode()).decode(), "value": "eA=="}
        )

    def has(self, key: str) -> bool:
        answer = Gateway(self.spec.client_url, PATIENCE)._call(
            "/v3/kv/range", {"key": base64.b64encode(key.encode()).decode()}
        )
        return answer.get("count") == "1"

    def exit_status(self, seconds: float = 90.0) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.agent.stop()
        for name, lines in (("stderr", 10), ("executor.log", 40), ("etcd.log", 10)):
            if (path := self.sandbox / name).exists():
                # Shown only for a test that fails.
                said = path.read_text(errors="replace").splitlines()[-lines:]
                print(f"{name} ends with:", *said, sep="\n")


def said(status: dict[str, Any]) -> dict[str, str]:
    data: dict[str, str] = json.loads(base64.b64decode(status["data"]))
    return data


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    # Nobody reaps an orphan in some containers.
    return state == "Z"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    made: list[Daemon] = []

    def one(version: str = VERSIONS[-1]) -> Daemon:
        made.append(Daemon(tmp_path, version))
        return made[-1]

    yield one
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(make: Callable[..., Daemon]) -> Daemon:
    return make()


@pytest.mark.parametrize("version", VERSIONS)
def test_its_whole_life(make: Callable[..., Daemon], version: str) -> None:
    """Subscribe, STARTING, RUNNING with what the scheduler wants to know, KILL, KILLED, exit 0."""
    daemon = make(version)
    daemon.start()
    assert daemon.agent.next_subscription() == {
        "unacknowledged_tasks": [],
        "unacknowledged_updates": [],
    }
    daemon.agent.launch(TASK, daemon.spec.to_json())
    starting = daemon.agent.next_update()
    assert starting["state"] == "TASK_STARTING"
    assert said(starting) == {"etcd_version": version, "sandbox": str(daemon.sandbox)}
    running = daemon.agent.next_update()
    assert (running["state"], running["healthy"]) == ("TASK_RUNNING", True)
    data = said(running)
    status = Gateway(daemon.spec.client_url, PATIENCE).status()
    assert (data["member_id"], data["cluster_id"]) == (status.member_id, status.cluster_id)
    daemon.agent.kill(TASK)
    killed = daemon.agent.next_update()
    assert (killed["state"], killed["source"]) == ("TASK_KILLED", "SOURCE_EXECUTOR")
    assert gone(int(data["pid"]))
    assert daemon.exit_status() == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_killed_etcd_comes_back_with_its_data(make: Callable[..., Daemon], version: str) -> None:
    """kill -9 of etcd: unhealthy, then healthy on the same data, the task RUNNING all along."""
    daemon = make(version)
    pid = daemon.run()
    daemon.put("kept")
    os.kill(pid, signal.SIGKILL)
    unwell = daemon.agent.next_update(healthy=False)
    assert unwell["state"] == "TASK_RUNNING"
    assert "signal 9; restart 1 of at most 5 in 1 s" in unwell["message"]
    assert daemon.running() != pid
    assert daemon.has("kept")


def test_etcd_dies_with_its_executor(daemon: Daemon) -> None:
    """SIGKILL of the executor alone takes etcd with it."""
    pid = daemon.run()
    assert daemon.process is not None
    assert os.getpgid(pid) == daemon.process.pid, "an agent kills the group"
    daemon.process.kill()
    until(lambda: gone(pid), "etcd is gone")


def test_a_stopped_etcd_is_killed_after_the_grace_period(daemon: Daemon) -> None:
    """SIGTERM does nothing to a process under SIGSTOP; SIGKILL does, and only then KILLED is
    said."""
    pid = daemon.run()
    os.kill(pid, signal.SIGSTOP)
    daemon.agent.kill(TASK, grace_seconds=0.5)
    killed = daemon.agent.next_update(state="TASK_KILLED")
    assert "ended by signal 9" in killed["message"]
    assert gone(pid)
    assert daemon.exit_status() == 0


def test_sigterm_is_an_orderly_end(daemon: Daemon) -> None:
    """SIGTERM to the executor: etcd is stopped, the end told, exit 0."""
    pid = daemon.run()
    assert daemon.process is not None
    daemon.process.terminate()
    assert "SIGTERM" in daemon.agent.next_update(state="TASK_KILLED")["message"]
    assert gone(pid)
    assert daemon.exit_status() == 0


def test_shutdown_without_acknowledgement_ends_all_the_same(daemon: Daemon) -> None:
    """An agent that shuts us down may be too busy to acknowledge."""
    pid = daemon.run()
    daemon.agent.acknowledges = False
    daemon.agent.send({"type": "SHUTDOWN"})
    daemon.agent.next_update(state="TASK_KILLED")
    assert gone(pid)
    assert daemon.exit_status() == 0


def test_an_agent_that_comes_back_gets_what_it_missed(daemon: Daemon) -> None:
    """etcd serves on while the agent is away; updates and the crash in between are named when
    subscribing, each under its first uuid."""
    daemon.agent.acknowledges = False
    pid = daemon.run()
    daemon.agent.stop()
    assert Gateway(daemon.spec.client_url, PATIENCE).status().serving_voter
    os.kill(pid, signal.SIGKILL)
    until(lambda: _status(daemon) is None, "etcd is down")
    until(lambda: _status(daemon) is not None, "etcd is back")
    daemon.agent.acknowledges = True
    daemon.agent.start()
    named = daemon.agent.next_subscription()
    statuses = [update["status"] for update in named["unacknowledged_updates"]]
    assert [s["state"] for s in statuses][:3] == ["TASK_STARTING", "TASK_RUNNING", "TASK_RUNNING"]
    assert [s.get("healthy") for s in statuses][:3] == [None, True, False]
    assert [t["task_id"]["value"] for t in named["unacknowledged_tasks"]] == [TASK]
    daemon.agent.cut()
    again = daemon.agent.next_subscription()
    assert again == {"unacknowledged_tasks": [], "unacknowledged_updates": []}


def _status(daemon: Daemon) -> object:
    try:
        return Gateway(daemon.spec.client_url, 0.5).status()
    except GatewayError:
        return None


def test_without_checkpoint_it_goes_with_its_agent(daemon: Daemon) -> None:
    """MESOS_CHECKPOINT=0 is not true, though the text is not empty."""
    daemon.start(MESOS_CHECKPOINT="0")
    daemon.agent.next_subscription()
    daemon.agent.launch(TASK, daemon.spec.to_json())
    pid = daemon.running()
    daemon.agent.stop()
    assert daemon.exit_status() == 0
    assert gone(pid)


def test_a_busy_port_fails_the_task(daemon: Daemon) -> None:
    """With the port in the message; the executor has done its work and exits with 0."""
    daemon.spec = evolve(daemon.spec, client_port=daemon.agent.port)
    daemon.start()
    daemon.agent.next_subscription()
    daemon.agent.launch(TASK, daemon.spec.to_json())
    failed = daemon.agent.next_update()
    assert failed["state"] == "TASK_FAILED"
    assert f"127.0.0.1:{daemon.agent.port}: Address already in use" in failed["message"]
    assert daemon.exit_status() == 0


def test_the_log_is_in_the_sandbox(daemon: Daemon) -> None:
    """What happened, and the highest epoch seen."""
    daemon.run()
    # A step is logged once its commands are released: the agent may hear of it first.
    log = daemon.sandbox / "executor.log"
    until(lambda: "now=running" in log.read_text(), "the log says what the agent was told")
    assert '"level":"info"' in (daemon.sandbox / "etcd.log").read_text()
    assert json.loads((daemon.sandbox / "executor.json").read_text())["epoch"] == 1


def test_outside_of_mesos_it_says_so() -> None:
    """One line, exit status 2."""
    done = subprocess.run(
        [sys.executable, "-m", "etcdmesos.cli.executor"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"not started by a Mesos agent" in done.stderr


def test_it_stays_small() -> None:
    """None of what makes other daemons large is imported."""
    large = "{'grpc','etcd3','kazoo','starlette','uvicorn','asyncio','cattrs','hypothesis'}"
    code = f"import etcdmesos.cli.executor, sys; print({large} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"
