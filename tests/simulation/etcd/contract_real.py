"""The contract's interface over real etcd processes on loopback ports."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError, ListedMember, MemberList
from etcdmesos.adapters.etcd_progress import prove_progress
from etcdmesos.etcd.member_health import MemberHealth
from tests.real_etcd import EtcdProcess, binary, until
from tests.simulation.etcd.contract import ELECTION, HEARTBEAT, PATIENCE, TOKEN

T = TypeVar("T")


class Real:
    """Real etcd processes on loopback ports."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version = version
        self.timeout = PATIENCE
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
        for other in (self._process(n) for n in initial if n != number):
            until(
                lambda other=other: other.serves_peers() or not other.running,  # type: ignore[misc]
                f"{other.name} answers its peers",
            )
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

    def _gateway(self, number: int, timeout: float | None = None) -> Gateway:
        return Gateway(self._process(number).client_url, timeout or self.timeout)

    def status(self, number: int, timeout: float = 1.0) -> MemberHealth | GatewayError:
        return _outcome(lambda: self._gateway(number, timeout).status())

    def put(self, number: int, key: str, size: int = 1) -> int | GatewayError:
        request = {"key": _base64(key), "value": _base64("x" * size)}
        return _outcome(
            lambda: int(self._gateway(number)._call("/v3/kv/put", request)["header"]["revision"])
        )

    def get(self, number: int, key: str, *, serializable: bool) -> int | GatewayError:
        request = {"key": _base64(key), "serializable": serializable}

        def read() -> int:
            found = self._gateway(number)._call("/v3/kv/range", request).get("kvs", ())
            return int(found[0]["mod_revision"]) if found else 0

        return _outcome(read)

    def progress(self, number: int) -> GatewayError | None:
        return _outcome(lambda: prove_progress(self._process(number).client_url, self.timeout))

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
        answer = _outcome(lambda: self._gateway(number)._call("/v3/cluster/member/add", request))
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

    def restore(self, snapshot: object, number: int, token: str, *, bump: int = 0) -> None:
        process = self._process(number)
        tool = "etcdctl" if self.version.startswith("3.4") else "etcdutl"
        self._tool(
            tool,
            *("snapshot", "restore", str(snapshot), f"--name=m{number}"),
            f"--initial-cluster=m{number}={process.peer_url}",
            f"--initial-advertise-peer-urls={process.peer_url}",
            f"--initial-cluster-token={token}",
            f"--data-dir={process.folder / 'data'}",
            *((f"--bump-revision={bump}", "--mark-compacted") if bump else ()),
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
