"""Real etcd processes for tests: on free loopback ports, in a folder given, killed exactly by id.

The binaries lie in `.cache/etcd/<version>/` (`make etcd` puts them there);
ETCD_MESOS_TEST_ETCD names another folder of that form.  Nothing here is used by the package.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.etcd.member_health import MemberHealth
from tests.free_ports import free_port

VERSIONS = ("3.4.23", "3.5.30")
_ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0
"""Seconds that one answer may take, where its time is not the question."""
LIMIT = 90.0
"""Seconds that anything may take on a busy machine.  Long: it costs nothing when all is well."""


def binary(version: str, name: str = "etcd") -> Path:
    """The real `name` (etcd, etcdctl, from 3.5 etcdutl); fails the test if it is not there."""
    folder = Path(os.environ.get("ETCD_MESOS_TEST_ETCD", _ROOT / ".cache" / "etcd"))
    path = folder / version / name
    if not path.exists():
        pytest.fail(f"{path} is not there: run `make etcd`")
    return path


def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until `condition()` is true; fail the test after LIMIT."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {LIMIT:g} s: {what or condition}")
        time.sleep(0.02)


class EtcdProcess:
    """One member: its URLs, its data directory, and the process while it runs."""

    def __init__(self, version: str, name: str, folder: Path) -> None:
        self.name = name
        self.version = version
        self.folder = folder / name
        self.client_url = f"http://127.0.0.1:{free_port()}"
        self.peer_url = f"http://127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(
        self, initial_cluster: str, *, state: str = "new", options: tuple[str, ...] = ()
    ) -> None:
        """Start the process; returns before it serves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # setpriv asks the kernel to kill etcd if the test's process dies without clean-up.
        command = [
            *("setpriv", "--pdeathsig", "KILL", str(binary(self.version))),
            *("--name", self.name, "--data-dir", str(self.folder / "data")),
            *("--listen-client-urls", self.client_url, "--advertise-client-urls", self.client_url),
            *("--listen-peer-urls", self.peer_url),
            *("--initial-advertise-peer-urls", self.peer_url),
            *("--initial-cluster", initial_cluster, "--initial-cluster-state", state),
            *("--logger", "zap", "--log-level", "warn", *options),
        ]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End the process, whatever state it is in; the data stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def serves_peers(self) -> bool:
        """Whether it answers other members, which it does before it serves clients.

        A new member asks those of the others that listen, one after the other and for up to a
        second each.  Members started at the same moment, each asking before it answers, lose that
        second once or more; started as soon as the one before answers, they lose nothing.
        """
        host = self.peer_url.removeprefix("http://")
        with closing(http.client.HTTPConnection(host, timeout=0.5)) as connection:
            try:
                connection.request("GET", "/members")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False

    def status(self) -> MemberHealth | None:
        """Its Status, None if it gives none."""
        try:
            return Gateway(self.client_url, 1.0).status()
        except GatewayError:
            return None

    def leader(self) -> str:
        """The leader it knows, "" if none or if it does not answer."""
        status = self.status()
        return status.leader if status else ""

    def member_id(self) -> str:
        status = self.status()
        assert status is not None, f"{self.name} does not answer"
        return status.member_id

    def log(self) -> str:
        """ "" before it was started."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


class EtcdCluster:
    """Some members of one cluster.  The options go to every etcd."""

    def __init__(self, version: str, folder: Path, *options: str) -> None:
        self.version = version
        self.folder = folder
        self.options = options
        self.members: list[EtcdProcess] = []

    def start(self, size: int) -> None:
        """Bootstrap; returns when every member knows a leader."""
        for n in range(size):
            self.members.append(EtcdProcess(self.version, f"m{n}", self.folder))
        initial = ",".join(f"{m.name}={m.peer_url}" for m in self.members)
        for member in self.members:
            member.start(initial, options=self.options)
            until(member.serves_peers, f"{member.name} answers its peers")
        for member in self.members:
            until(member.leader, f"{member.name} serves: {member.log()[-500:]}")

    def add_learner(self) -> EtcdProcess:
        """A new member, added as a learner and started; returns when it knows a leader."""
        new = EtcdProcess(self.version, f"m{len(self.members)}", self.folder)
        Gateway(self.members[0].client_url, 5.0).add_learner([new.peer_url])
        self.members.append(new)
        initial = ",".join(f"{m.name}={m.peer_url}" for m in self.members)
        new.start(initial, state="existing", options=self.options)
        until(new.leader, f"{new.name} serves: {new.log()[-500:]}")
        return new

    def leading(self) -> EtcdProcess:
        """The member that leads, by the word of the first that answers."""
        ids = {m.member_id(): m for m in self.members if m.process}
        return ids[next(leader for m in ids.values() if (leader := m.leader()))]

    def close(self) -> None:
        """Kill every member and remove the data."""
        for member in self.members:
            member.kill()
            # Shown only for a test that fails.
            print(f"{member.name} said at last:", *member.log().splitlines()[-10:], sep="\n")
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def etcd_cluster(version: str, size: int, folder: Path, *options: str) -> Iterator[EtcdCluster]:
    """A running cluster; whatever is left of it at the end is killed."""
    cluster = EtcdCluster(version, folder, *options)
    try:
        cluster.start(size)
        yield cluster
    finally:
        cluster.close()
