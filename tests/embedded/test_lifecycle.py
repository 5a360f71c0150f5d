"""Executors live and end on the embedded Mesos as EXECUTOR.md of the recordings tells."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.embedded import EmbeddedMesos, process_tree
from tests.embedded import captures
from tests.embedded.conftest import Start
from tests.embedded.scheduler import (
    Scheduler,
    command_task,
    custom_task,
    executor_info,
    get_json,
    request,
)
from tests.quiet_server import QuietServer

Json = dict[str, Any]


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Wait for something that no event tells."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)
    return value


def alive(pid: int) -> bool:
    """Is there such a process, and not only its remains?"""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def sandbox(mesos: EmbeddedMesos, executor_id: str) -> Path:
    """The sandbox of the newest run of an executor."""
    pattern = f"agent*/slaves/*/frameworks/*/executors/{executor_id}/runs/latest"
    found = until(lambda: list(mesos.work_dir.glob(pattern)), "a sandbox")
    return Path(found[0])


def log(mesos: EmbeddedMesos, executor_id: str) -> list[Json]:
    """What the executor saw."""
    path = sandbox(mesos, executor_id) / "events.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


FAILED = ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED", "Executor terminated")
ENDS: dict[str, tuple[str, tuple[str, ...], int, tuple[str, ...] | None]] = {
    "exit0-before": ("", ("TASK_RUNNING", "exit:0"), 0, FAILED),
    "exit3-before": ("", ("TASK_RUNNING", "exit:3"), 768, FAILED),
    "sigkill-before": ("", ("TASK_RUNNING", "signal:9"), 9, FAILED),
    "exit3-starting": ("", ("TASK_STARTING", "exit:3"), 768, FAILED),
    "exit0-silent": ("", ("exit:0",), 0, FAILED),
    "exit3-after": ("", ("TASK_RUNNING", "TASK_FINISHED", "exit:3"), 768, None),
    "exit-nosub": ("exit5", (), 1280, FAILED),
    "exit0-nosub": ("exit0", (), 0, FAILED),
    "child-left": ("", ("TASK_RUNNING", "child", "exit:0"), 0, FAILED),
    "noreg": (
        "silent",
        (),
        9,
        (
            "TASK_FAILED",
            "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
            "Executor did not register within 3secs",
        ),
    ),
}


@pytest.mark.parametrize("case", sorted(ENDS))
def test_executors_end_as_recorded(shared: EmbeddedMesos, case: str) -> None:
    """FAILURE with the wait status, then the agent's word for each task that was not over."""
    mode, steps, wait_status, ending = ENDS[case]
    with Scheduler(shared.master) as scheduler:
        offer = scheduler.offer()
        name = f"e-{case}"
        scheduler.accept(offer, custom_task(name, offer, executor_info(name, mode), *steps))
        assert scheduler.failure(name)["status"] == wait_status
        failed_at = scheduler.types().index("FAILURE")
        if ending is None:
            scheduler.update(name, "TASK_FINISHED")
        else:
            status = scheduler.update(name, ending[0], since=failed_at)
            assert (status["state"], status["reason"], status["message"]) == ending
            recorded = captures.updates("executor_console")[name][-1]
            assert sorted(status) == sorted(recorded)
        if case == "child-left":
            child = next(one["child"] for one in log(shared, name) if "child" in one)
            until(lambda: not alive(child), "the end of the child")


@pytest.mark.parametrize(
    ("case", "command", "wait_status"),
    [
        ("nonexec", {"value": "./stdout"}, 126 << 8),
        ("nocommand-found", {"value": "/no/such/program"}, 127 << 8),
        ("fetch404", {"value": "true", "uris": [{"value": "/no/such/file"}]}, 256),
        ("fetch-refused", {"value": "true", "uris": [{"value": "http://127.0.0.1:1/x"}]}, 256),
    ],
)
def test_executors_that_never_start(
    shared: EmbeddedMesos, case: str, command: Json, wait_status: int
) -> None:
    """A failed fetch is 256 and CONTAINER_LAUNCH_FAILED; a bad command is the shell's word."""
    name = f"e-{case}"
    with Scheduler(shared.master) as scheduler:
        offer = scheduler.offer()
        scheduler.accept(offer, custom_task(name, offer, executor_info(name, command=command)))
        assert scheduler.failure(name)["status"] == wait_status
        status = scheduler.update(name, "TASK_FAILED")
        recorded = captures.updates("executor_console")[name][-1]
        assert status["reason"] == recorded["reason"]
        assert status["message"].split("'")[0] == recorded["message"].split("'")[0]
        assert status["message"].split("'")[2:] == recorded["message"].split("'")[2:]


def test_the_environment_is_the_recorded_one(shared: EmbeddedMesos) -> None:
    """Every variable Mesos sets, no other, and nothing of ours leaks in."""
    os.environ["LEAK_OF_THE_TEST"] = "1"
    with Scheduler(shared.master) as scheduler:
        offer = scheduler.offer()
        scheduler.accept(offer, custom_task("env", offer, executor_info("env"), "TASK_RUNNING"))
        scheduler.update("env", "TASK_RUNNING")
        seen = next(one for one in log(shared, "env") if "environment" in one)
        ours = seen["environment"]
        text = (captures.DIRECTORY / "executor_ex-main.txt").read_text("latin-1")
        lines = text.split("ENVIRONMENT (all of it)\n")[1].split("\n===")[0].split("\n")
        theirs = dict(line.split("=", 1) for line in lines)
        for name in ("CUSTOM_VAR", "EXE_PRE", "PORT0"):
            del theirs[name]
        del ours["TINY_MODE"]
        assert set(ours) - {"LC_CTYPE"} == set(theirs) - {"LC_CTYPE"}
        same = ("LIBPROCESS_PORT", "MESOS_CHECKPOINT", "MESOS_HTTP_COMMAND_EXECUTOR", "PATH")
        assert [ours[name] for name in same] == [theirs[name] for name in same]
        assert ours["MESOS_RECOVERY_TIMEOUT"] == "30secs"
        assert ours["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] == "500ms"
        assert ours["MESOS_SANDBOX"] == ours["PWD"] == seen["cwd"]


def test_one_update_at_a_time_and_again_until_acknowledged(start: Start) -> None:
    """RUNNING comes only after STARTING was acknowledged; STARTING comes again meanwhile."""
    mesos = start(update_retry=0.3)
    with Scheduler(mesos.master, acknowledging=False) as scheduler:
        offer = scheduler.offer()
        info = executor_info("slow")
        scheduler.accept(offer, custom_task("s", offer, info, "TASK_STARTING", "TASK_RUNNING"))
        first = scheduler.update("s")
        again = scheduler.update("s", since=len(scheduler.events))
        assert first == again
        assert first["state"] == "TASK_STARTING"
        # The master knows the newest state all the same; reconciliation tells what was sent.
        until(
            lambda: get_json(mesos.master, "/tasks")["tasks"][0]["state"] == "TASK_RUNNING",
            "the latest state",
        )
        position = len(scheduler.events)
        scheduler.acknowledge(first)
        assert scheduler.update("s", since=position)["state"] == "TASK_RUNNING"


def test_shutdown_is_enforced_after_the_grace_period(start: Start) -> None:
    """An executor that ignores SHUTDOWN is killed, with its children, after its own grace."""
    mesos = start()
    with Scheduler(mesos.master) as scheduler:
        offer = scheduler.offer()
        grace = {"nanoseconds": 700_000_000}
        info = executor_info("deaf", "stubborn", shutdown_grace_period=grace)
        scheduler.accept(offer, custom_task("d", offer, info, "child", "TASK_RUNNING"))
        scheduler.update("d", "TASK_RUNNING")
        child = next(one["child"] for one in log(mesos, "deaf") if "child" in one)
        scheduler.call("KILL", task_id={"value": "d"})
        began = time.monotonic()
        scheduler.call("SHUTDOWN", executor_id={"value": "deaf"}, agent_id=offer["agent_id"])
        assert scheduler.failure("deaf")["status"] == 9
        assert time.monotonic() - began > 0.69
        assert scheduler.update("d", "TASK_FAILED")["reason"] == "REASON_EXECUTOR_TERMINATED"
        assert not alive(child)
        assert {"type": "SHUTDOWN"} in log(mesos, "deaf")


def test_a_kill_before_delivery(start: Start) -> None:
    """TASK_KILLED by the agent; the executor that has nothing to do goes with FAILURE."""
    mesos = start(executor_registration_timeout=30)
    with Scheduler(mesos.master) as scheduler:
        offer = scheduler.offer()
        scheduler.accept(offer, custom_task("k", offer, executor_info("e-k", "silent")))
        scheduler.call("KILL", task_id={"value": "k"})
        status = scheduler.update("k")
        recorded = captures.updates("executor_console")["e-kill-staging"][0]
        assert (status["state"], status["reason"]) == (recorded["state"], recorded["reason"])
        assert status["message"] == recorded["message"]
        assert scheduler.failure("e-k")["status"] in (-1, 9)


@pytest.mark.parametrize("how", ["call", "http", "timeout"])
def test_teardown_shuts_executors_down(start: Start, how: str) -> None:
    """TEARDOWN, /teardown and an expired failover timeout: SHUTDOWN, TASK_KILLED in the books."""
    mesos = start()
    timeout = 0.2 if how == "timeout" else 60.0
    with Scheduler(mesos.master, failover_timeout=timeout) as scheduler:
        offer = scheduler.offer()
        scheduler.accept(offer, custom_task("t", offer, executor_info("e-t"), "TASK_RUNNING"))
        scheduler.update("t", "TASK_RUNNING")
        pid = next(one["pid"] for one in log(mesos, "e-t") if "pid" in one)
        if how == "call":
            assert scheduler.call("TEARDOWN")[0] == 202
            assert scheduler.wait_end() == "last chunk"
        elif how == "http":
            body = f"frameworkId={scheduler.framework_id}"
            post_teardown(mesos.master, body)
            assert scheduler.wait_end() == "last chunk"
        else:
            scheduler.disconnect()
        until(lambda: not alive(pid), "the end of the executor")
        done = until(
            lambda: get_json(mesos.master, "/state")["completed_frameworks"], "the teardown"
        )
        assert [one["state"] for one in done[0]["completed_tasks"]] == ["TASK_KILLED"]
        scheduler.subscribe()
        message = scheduler.events[-1]["error"]["message"]
        assert message == "Framework has been removed"


def post_teardown(address: str, body: str) -> None:
    """POST /master/teardown as a form."""
    kind = "application/x-www-form-urlencoded"
    status, _, _ = request(address, "POST", "/master/teardown", body.encode(), Content_Type=kind)
    assert status == 200


def test_a_second_scheduler_takes_over(start: Start) -> None:
    """The first stream gets ERROR and its last chunk, its stream id is worth nothing."""
    mesos = start()
    with Scheduler(mesos.master) as first, contextlib.ExitStack() as stack:
        second = Scheduler(mesos.master)
        second.framework_id = first.framework_id
        stack.enter_context(second)
        assert first.wait_end() == "last chunk"
        assert first.events[-1] == {
            "type": "ERROR",
            "error": {"message": "Framework failed over"},
        }
        status, text = first.call("REVIVE")
        assert status == 400
        assert b"didn't match the stream ID currently associated with" in text
        assert second.types()[:2] == ["SUBSCRIBED", "HEARTBEAT"]
        second.offer()
        second.disconnect()
        until(lambda: second.call("REVIVE") == (403, b"Framework is not subscribed"), "403")


def test_offers_follow_resources_filters_and_wishes(start: Start) -> None:
    """Declined stays away, suppress stops, revive starts; what is used is not offered."""
    mesos = start()
    with Scheduler(mesos.master) as scheduler:
        offer = scheduler.offer()
        assert amounts(offer) == {"cpus": 4.0, "mem": 4096.0, "disk": 8192.0}
        scheduler.accept(offer, command_task("c", offer, "sleep 600"), refuse=0)
        second = scheduler.offer()
        assert amounts(second)["cpus"] == 3.9
        assert amounts(second)["mem"] == 4064.0
        scheduler.call("SUPPRESS")
        scheduler.call("DECLINE", offer_ids=[second["id"]], filters={"refuse_seconds": 60})
        position = len(scheduler.events)
        scheduler.call("KILL", task_id={"value": "c"})
        scheduler.update("c", "TASK_KILLED")
        time.sleep(0.4)
        assert "OFFERS" not in scheduler.types(position)
        scheduler.call("REVIVE")
        assert amounts(scheduler.offer())["cpus"] == 4.0


def amounts(offer: Json) -> dict[str, float]:
    return {one["name"]: one["scalar"]["value"] for one in offer["resources"] if "scalar" in one}


class CountingServer:
    """An HTTP server that counts what the fetcher asks."""

    def __init__(self, content: bytes) -> None:
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.command, self.path))
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command == "GET":
                    time.sleep(0.05)
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> CountingServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_the_fetcher_caches_extracts_and_renames(start: Start, tmp_path: Path) -> None:
    """cache: HEAD and one GET for executors that start together; archives; output_file; modes."""
    (tmp_path / "f.txt").write_text("inside")
    archive = tmp_path / "arc.tar.gz"
    subprocess.run(["tar", "-C", tmp_path, "-czf", archive, "f.txt"], check=True)
    mesos = start()
    with CountingServer(b"x" * 3_000_000) as server, Scheduler(mesos.master) as scheduler:
        offer = scheduler.offer()
        tasks = []
        for number in range(3):
            info = executor_info(f"f{number}")
            info["command"]["uris"] += [
                {"value": f"{server.url}/cached.bin", "cache": True, "extract": False},
                {"value": f"file://{archive}"},
                {
                    "value": f"{server.url}/n{number}",
                    "output_file": "out/renamed",
                    "extract": False,
                },
            ]
            tasks.append(custom_task(f"f{number}", offer, info, "TASK_RUNNING"))
        scheduler.accept(offer, *tasks)
        for number in range(3):
            scheduler.update(f"f{number}", "TASK_RUNNING")
        asked = [one for one in server.asked if one[1] == "/cached.bin"]
        assert asked == [("HEAD", "/cached.bin"), ("GET", "/cached.bin")]
        box = sandbox(mesos, "f0")
        assert (box / "cached.bin").stat().st_size == 3_000_000
        assert (box / "f.txt").read_text() == "inside"
        assert (box / "arc.tar.gz").exists()
        assert (box / "out/renamed").stat().st_size == 3_000_000
        assert (box / "tiny_executor.py").stat().st_mode & 0o777 == 0o755
        agent = mesos.agents["agent1"]
        path = f"/files/read?path={box.resolve()}/f.txt&offset=2&length=3"
        assert get_json(agent, path) == {"data": "sid", "offset": 2}
        names = [one["path"].rpartition("/")[2] for one in browse(agent, box.resolve())]
        assert names == sorted(names)
        assert {"stdout", "stderr", "cached.bin", "out"} <= set(names)


def browse(agent: str, path: Path) -> list[Json]:
    found: list[Json] = get_json(agent, f"/files/browse?path={path}")
    return found


# One whose child left the session, and one of which no process kept its environment.
COMMANDS = {
    "own session": "setsid sleep 611 & sleep 612 & wait",
    "no environment": 'exec env -i /bin/sh -c "sleep 611 & sleep 612 & wait"',
}


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("signal_number", [15, 9])
def test_nothing_outlives_the_embedded_process(
    tmp_path: Path, signal_number: int, command: str
) -> None:
    """SIGKILL of the process that hosts it ends every container, children with them."""
    script = (
        "import sys, time\n"
        "from etcdmesos.embedded import running\n"
        "from tests.embedded.scheduler import *\n"
        f"with running({str(tmp_path)!r}, master_port=0, agent_port=0, agents=1) as mesos:\n"
        "    with Scheduler(mesos.master) as scheduler:\n"
        "        offer = scheduler.offer()\n"
        f"        task = command_task('c', offer, {COMMANDS[command]!r})\n"
        "        scheduler.accept(offer, task)\n"
        "        status = scheduler.update('c', 'TASK_RUNNING')\n"
        "        print(status['container_status']['executor_pid'], flush=True)\n"
        "        time.sleep(600)\n"
    )
    host = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    until(lambda: len(process_tree.members({pid})) == 3, "the children")
    processes = process_tree.members({pid})
    host.send_signal(signal_number)
    host.wait()
    host.stdout.close()
    until(lambda: not any(alive(one) for one in processes), "the end of the container")
    until(lambda: not marked(tmp_path), "the end of what left its session")


def marked(directory: Path) -> list[int]:
    """Processes with a sandbox under this directory in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"MESOS_SANDBOX={directory}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found
