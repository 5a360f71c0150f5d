"""The contract's interface over the simulated etcd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etcdmesos.adapters.etcd_gateway import GatewayError, ListedMember, MemberList
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.simulation.etcd import DataDirectory, Snapshot, Timing, Version, restore
from tests.simulation.etcd.contract import ELECTION, HEARTBEAT, PATIENCE, TOKEN
from tests.simulation.etcd.simulated import World


class Simulated:
    """The simulated etcd."""

    def __init__(self, version: str, seed: int = 1) -> None:
        self.version = version
        self.timeout = PATIENCE
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

    def _ask(
        self, number: int, call: str, *arguments: Any, timeout: float | None = None, **more: Any
    ) -> Any:
        client = self.world.asking(timeout or self.timeout)
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

    def restore(self, snapshot: object, number: int, token: str, *, bump: int = 0) -> None:
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
            bump_revision=bump,
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
