"""One small interface over simulated and real etcd, for the contract tests.

Members are numbers.  A call answers with its value or with the GatewayError it ended in.  Elections
are quicker than by default, in both, so that the real part stays short.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from etcdmesos.adapters.etcd import prove_progress
from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError, ListedMember, MemberList
from etcdmesos.cluster.member_health import MemberHealth
from etcdmesos.simulation.etcd import DataDirectory, Snapshot, Timing, Version, restore
from tests.real_etcd import EtcdProcess, binary
from tests.simulation.etcd.simulated import World

T = TypeVar("T")
TOKEN = "etcd-cluster"
HEARTBEAT, ELECTION = 20, 200
"""Milliseconds."""


class Cluster(Protocol):
    """Some etcd members on hosts or ports of their own, and what is done to them."""

    version: str

    def start(
        self,
        number: int,
        initial: Sequence[int] = (),
        *,
        state: str = "new",
        token: str = TOKEN,
        force: bool = False,
        quota: int = 0,
    ) -> None:
        """Start a member on its directory; returns at once."""
        ...

    def kill(self, number: int) -> None: ...
    def terminate(self, number: int) -> None: ...
    def pause(self, number: int) -> None: ...
    def resume(self, number: int) -> None: ...
    def exit_status(self, number: int) -> int | None:
        """The status it ended with; None while it runs."""
        ...

    def logged(self, number: int, text: str) -> bool: ...
    def peer_url(self, number: int) -> str: ...
    def wait(self, seconds: float) -> None: ...

    def status(self, number: int, timeout: float = 1.0) -> MemberHealth | GatewayError: ...
    def put(self, number: int, key: str, size: int = 1) -> int | GatewayError: ...
    def get(self, number: int, key: str, *, serializable: bool) -> int | GatewayError: ...
    def progress(self, number: int) -> GatewayError | None: ...
    def members(self, number: int, *, linearizable: bool) -> MemberList | GatewayError: ...
    def add(self, number: int, new: int, *, learner: bool = True) -> ListedMember | GatewayError: ...
    def promote(self, number: int, member_id: str) -> GatewayError | None: ...
    def remove(self, number: int, member_id: str) -> GatewayError | None: ...
    def move_leader(self, number: int, to: str) -> GatewayError | None: ...
    def disarm(self, number: int, member_id: str) -> object: ...

    def snapshot(self, number: int) -> object:
        """A snapshot over the network."""
        ...

    def restore(self, snapshot: object, number: int, token: str) -> None:
        """Restore it as the only member `number`, whose directory is free."""
        ...

    def copy_data(self, number: int, to: int) -> None: ...
    def wipe(self, number: int) -> None: ...


def until(cluster: Cluster, condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until the condition holds."""
    for _ in range(int(seconds / 0.03)):
        if condition():
            return
        cluster.wait(0.03)
    raise AssertionError(f"not within {seconds:g} s")


class Simulated:
    """The simulated etcd."""

    def __init__(self, version: str, seed: int = 1) -> None:
        self.version = version
        self.world = World(seed, version)

    def start(
        self,
        number: int,
        initial: Sequence[int] = (),
        *,
        state: str = "new",
        token: str = TOKEN,
        force: bool = False,
        quota: int = 0,
    ) -> None:
        self.world.start(
            number,
            initial,
            initial_cluster_state=state,
            token=token,
            force_new_cluster=force,
            quota_bytes=quota or 2 * 1024**3,
            timing=Timing(HEARTBEAT / 1000, ELECTION / 1000),
        )

    def kill(self, number: int) -> None:
        self.world.processes[f"m{number}"].kill()

    def terminate(self, number: int) -> None:
        self.world.processes[f"m{number}"].terminate()

    def pause(self, number: int) -> None:
        self.world.processes[f"m{number}"].pause()

    def resume(self, number: int) -> None:
        self.world.processes[f"m{number}"].resume()

    def exit_status(self, number: int) -> int | None:
        return self.world.processes[f"m{number}"].status

    def logged(self, number: int, text: str) -> bool:
        return any(text in line for line in self.world.processes[f"m{number}"].log)

    def peer_url(self, number: int) -> str:
        return f"http://h{number}:2380"

    def wait(self, seconds: float) -> None:
        self.world.run(seconds)
        self.world.etcd.check()

    def _ask(self, number: int, call: str, *arguments: Any, timeout: float = 1.0, **more: Any) -> Any:
        client = self.world.asking(timeout)
        url = f"http://h{number}:2379"
        return self.world.ask(
            lambda *rest, **named: getattr(client, call)(url, *rest, **named), *arguments, **more
        )

    def status(self, number: int, timeout: float = 1.0) -> MemberHealth | GatewayError:
        return self._ask(number, "status", timeout=timeout)  # type: ignore[no-any-return]

    def put(self, number: int, key: str, size: int = 1) -> int | GatewayError:
        return self._ask(number, "put", key, size=size)  # type: ignore[no-any-return]

    def get(self, number: int, key: str, *, serializable: bool) -> int | GatewayError:
        return self._ask(number, "get", key, serializable=serializable)  # type: ignore[no-any-return]

    def progress(self, number: int) -> GatewayError | None:
        return self._ask(number, "prove_progress")  # type: ignore[no-any-return]

    def members(self, number: int, *, linearizable: bool) -> MemberList | GatewayError:
        return self._ask(number, "list_members", linearizable=linearizable)  # type: ignore[no-any-return]

    def add(self, number: int, new: int, *, learner: bool = True) -> ListedMember | GatewayError:
        urls = (self.peer_url(new),)
        return self._ask(number, "add_member", urls, learner=learner)  # type: ignore[no-any-return]

    def promote(self, number: int, member_id: str) -> GatewayError | None:
        return self._ask(number, "promote", member_id)  # type: ignore[no-any-return]

    def remove(self, number: int, member_id: str) -> GatewayError | None:
        return self._ask(number, "remove_member", member_id)  # type: ignore[no-any-return]

    def move_leader(self, number: int, to: str) -> GatewayError | None:
        return self._ask(number, "move_leader", to)  # type: ignore[no-any-return]

    def disarm(self, number: int, member_id: str) -> object:
        alarms = self._ask(number, "alarms")
        return [self._ask(number, "disarm", alarm) for alarm in alarms]

    def snapshot(self, number: int) -> object:
        return self._ask(number, "snapshot")

    def restore(self, snapshot: object, number: int, token: str) -> None:
        assert isinstance(snapshot, Snapshot)
        name = f"h{number}"
        if name not in self.world.network.parties:
            self.world.hosts.add(name)
        directory = restore(
            snapshot,
            version=Version(self.version),
            name=f"m{number}",
            initial_cluster=f"m{number}={self.peer_url(number)}",
            token=token,
        )
        self.world.hosts[name].disk.write("/data", directory)

    def copy_data(self, number: int, to: int) -> None:
        name = f"h{to}"
        if name not in self.world.network.parties:
            self.world.hosts.add(name)
        directory = self.world.hosts[f"h{number}"].disk.read("/data")
        assert isinstance(directory, DataDirectory)
        self.world.hosts[name].disk.write("/data", directory.copy())

    def wipe(self, number: int) -> None:
        self.world.hosts[f"h{number}"].disk.delete("/data")

    def close(self) -> None:
        """Nothing is left behind."""


class Real:
    """Real etcd processes on loopback ports."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version = version
        self.folder = folder
        self._processes: dict[int, EtcdProcess] = {}
        self._snapshots = 0

    def _process(self, number: int) -> EtcdProcess:
        if number not in self._processes:
            self._processes[number] = EtcdProcess(self.version, f"m{number}", self.folder)
        return self._processes[number]

    def start(
        self,
        number: int,
        initial: Sequence[int] = (),
        *,
        state: str = "new",
        token: str = TOKEN,
        force: bool = False,
        quota: int = 0,
    ) -> None:
        options = [
            f"--heartbeat-interval={HEARTBEAT}",
            f"--election-timeout={ELECTION}",
            f"--initial-cluster-token={token}",
        ]
        options += ["--force-new-cluster"] * force
        options += [f"--quota-backend-bytes={quota}"] * bool(quota)
        pairs = ",".join(f"m{n}={self.peer_url(n)}" for n in initial or (number,))
        self._process(number).start(pairs, state=state, options=tuple(options))

    def kill(self, number: int) -> None:
        self._process(number).kill()

    def terminate(self, number: int) -> None:
        self._process(number).signal(signal.SIGTERM)

    def pause(self, number: int) -> None:
        self._process(number).signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self._process(number).signal(signal.SIGCONT)

    def exit_status(self, number: int) -> int | None:
        process = self._process(number).process
        return None if process is None else process.poll()

    def logged(self, number: int, text: str) -> bool:
        return text in self._process(number).log()

    def peer_url(self, number: int) -> str:
        return self._process(number).peer_url

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def _gateway(self, number: int, timeout: float = 1.0) -> Gateway:
        return Gateway(self._process(number).client_url, timeout)

    def status(self, number: int, timeout: float = 1.0) -> MemberHealth | GatewayError:
        return _outcome(lambda: self._gateway(number, timeout).status())

    def put(self, number: int, key: str, size: int = 1) -> int | GatewayError:
        request = {"key": _base64(key), "value": _base64("x" * size)}
        return _outcome(
            lambda: int(
                self._gateway(number)._call("/v3/kv/put", request)["header"]["revision"]
            )
        )

    def get(self, number: int, key: str, *, serializable: bool) -> int | GatewayError:
        request = {"key": _base64(key), "serializable": serializable}

        def read() -> int:
            found = self._gateway(number)._call("/v3/kv/range", request).get("kvs", ())
            return int(found[0]["mod_revision"]) if found else 0

        return _outcome(read)

    def progress(self, number: int) -> GatewayError | None:
        return _outcome(lambda: prove_progress(self._process(number).client_url, 1.0))

    def members(self, number: int, *, linearizable: bool) -> MemberList | GatewayError:
        gateway = self._gateway(number)
        if not linearizable:
            return _outcome(gateway.list_members_without_quorum)
        # Not `list_members`, which adds a linearizable read for the sake of 3.4.
        request = {"linearizable": True}
        answer = _outcome(lambda: gateway._call("/v3/cluster/member/list", request))
        return answer if isinstance(answer, GatewayError) else _member_list(answer)

    def add(self, number: int, new: int, *, learner: bool = True) -> ListedMember | GatewayError:
        request = {"peerURLs": [self.peer_url(new)], "isLearner": learner}
        answer = _outcome(
            lambda: self._gateway(number)._call("/v3/cluster/member/add", request)
        )
        if isinstance(answer, GatewayError):
            return answer
        return _listed(answer["member"])

    def promote(self, number: int, member_id: str) -> GatewayError | None:
        return _outcome(lambda: self._gateway(number).promote(member_id))

    def remove(self, number: int, member_id: str) -> GatewayError | None:
        return _outcome(lambda: self._gateway(number).remove_member(member_id))

    def move_leader(self, number: int, to: str) -> GatewayError | None:
        request = {"targetID": str(int(to, 16))}
        call = "/v3/maintenance/transfer-leadership"
        answer = _outcome(lambda: self._gateway(number)._call(call, request))
        return answer if isinstance(answer, GatewayError) else None

    def disarm(self, number: int, member_id: str) -> object:
        request = {"action": "DEACTIVATE", "memberID": str(int(member_id, 16)), "alarm": "NOSPACE"}
        return _outcome(lambda: self._gateway(number)._call("/v3/maintenance/alarm", request))

    def _tool(self, name: str, *arguments: str) -> None:
        environment = {**os.environ, "ETCDCTL_API": "3"}
        subprocess.run(
            [str(binary(self.version, name)), *arguments],
            env=environment,
            check=True,
            capture_output=True,
            timeout=20,
        )

    def snapshot(self, number: int) -> object:
        self._snapshots += 1
        path = self.folder / f"snapshot{self._snapshots}"
        endpoint = f"--endpoints={self._process(number).client_url}"
        self._tool("etcdctl", endpoint, "snapshot", "save", str(path))
        return path

    def restore(self, snapshot: object, number: int, token: str) -> None:
        process = self._process(number)
        tool = "etcdctl" if self.version.startswith("3.4") else "etcdutl"
        self._tool(
            tool,
            *("snapshot", "restore", str(snapshot), f"--name=m{number}"),
            f"--initial-cluster=m{number}={process.peer_url}",
            f"--initial-advertise-peer-urls={process.peer_url}",
            f"--initial-cluster-token={token}",
            f"--data-dir={process.folder / 'data'}",
        )

    def copy_data(self, number: int, to: int) -> None:
        shutil.copytree(self._process(number).folder / "data", self._process(to).folder / "data")

    def wipe(self, number: int) -> None:
        shutil.rmtree(self._process(number).folder / "data", ignore_errors=True)

    def close(self) -> None:
        """Kill what still runs, remove what was written."""
        for process in self._processes.values():
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _outcome(call: Callable[[], T]) -> T | GatewayError:
    try:
        return call()
    except GatewayError as error:
        return error


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def _listed(entry: dict[str, Any]) -> ListedMember:
    return ListedMember(
        id=f"{int(entry['ID']):016x}",
        name=entry.get("name", ""),
        peer_urls=tuple(entry.get("peerURLs", ())),
        client_urls=tuple(entry.get("clientURLs", ())),
        learner=entry.get("isLearner", False),
    )


def _member_list(answer: dict[str, Any]) -> MemberList:
    members = sorted((_listed(entry) for entry in answer["members"]), key=lambda m: m.id)
    cluster_id = f"{int(answer['header']['cluster_id']):016x}"
    return MemberList(cluster_id=cluster_id, members=tuple(members))
