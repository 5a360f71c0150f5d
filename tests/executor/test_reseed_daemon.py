"""Orders to the executor as a process, over its agent's stream: from a snapshot to a seed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.orders import Hold, Order, Seed, TakeSnapshot, Tool, encode
from tests.executor.test_daemon import TASK, Daemon, gone
from tests.quiet_server import QuietServer
from tests.real_etcd import PATIENCE, VERSIONS, binary, until

pytestmark = pytest.mark.real


@pytest.fixture(params=VERSIONS)
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, str(request.param))
    yield daemon
    daemon.close()


@pytest.fixture
def tool(daemon: Daemon) -> Iterator[Tool]:
    """What restores snapshots, as a scheduler serves it."""
    name = "etcdctl" if daemon.version.startswith("3.4") else "etcdutl"
    path = binary(daemon.version, name)
    with QuietServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(path.parent))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Tool(
            name=name,
            url=f"http://127.0.0.1:{server.server_address[1]}/{name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        server.shutdown()
        thread.join()


def served(url: str) -> Callable[[], bool]:
    def leads() -> bool:
        try:
            return Gateway(url, PATIENCE).status().serving_voter
        except GatewayError:
            return False

    return leads


def test_from_the_snapshot_to_the_seed_and_back(daemon: Daemon, tool: Tool) -> None:
    """Every order is answered by reports; etcd is the old one, none, the seed, none."""
    pid = daemon.run()
    daemon.put("before")
    old = Gateway(daemon.spec.client_url, PATIENCE).status().cluster_id
    common: dict[str, Any] = {"task_id": TASK, "epoch": 2, "generation": 2}

    def order(one: Order, **wanted: Any) -> dict[str, Any]:
        daemon.agent.message(encode(one))
        report = daemon.agent.next_message(**wanted)
        while wanted.get("standing") == "unheld" and report["snapshot"] is None:
            report = daemon.agent.next_message(**wanted)
        return report

    report = order(TakeSnapshot(**common), standing="unheld")
    snapshot = report["snapshot"]
    assert (report["type"], report["epoch"], snapshot["revision"]) == ("report", 2, 2)
    report = order(Hold(**common, in_force=1), standing="held")
    assert gone(pid)
    assert report["commit_index"] >= snapshot["applied_index"] > 0
    assert (daemon.sandbox / "HELD").read_text() == "held by epoch 2, generation 2\n"
    unwell = daemon.agent.next_update(state="TASK_RUNNING", healthy=False)
    assert unwell["message"] == "held by epoch 2, generation 2"
    bump = 0 if daemon.version == "3.4.23" else 1_000_000
    seed = Seed(
        **common,
        token="seed",
        tool=tool,
        snapshot_sha256=snapshot["sha256"],
        bump_revision=bump,
    )
    report = order(seed, standing="seeded")
    daemon.running()
    assert report["kept"] == ["reseed/2/snapshot.db", "aside/etcd-1-2"]
    until(served(daemon.spec.client_url), "the seed serves")
    assert daemon.has("before")
    status = Gateway(daemon.spec.client_url, PATIENCE).status()
    assert status.cluster_id != old
    assert status.revision >= snapshot["revision"] + bump
    daemon.put("after")
    order(Hold(**{**common, "generation": 3}, in_force=1), standing="held")
    assert (daemon.sandbox / "aside/failed-2").is_dir()
    daemon.agent.kill(TASK)
    daemon.agent.next_update(state="TASK_KILLED")
    assert daemon.exit_status() == 0
