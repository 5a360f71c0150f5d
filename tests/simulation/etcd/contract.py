"""One small interface over simulated and real etcd, for the contract tests.

Members are numbers.  A call answers with its value or with the GatewayError it ended in.  Elections
are quicker than by default, in both, so that the real part stays short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from etcdmesos.adapters.etcd_gateway import GatewayError, ListedMember, MemberList, Outcome
from etcdmesos.etcd.member_health import MemberHealth

TOKEN = "etcd-cluster"
HEARTBEAT, ELECTION = 40, 400
"""Milliseconds.  Shorter, and a real leader on a busy machine is deposed for nothing."""
PATIENCE = 10.0
"""Seconds a call waits by default."""
SILENCE = 0.5
"""Seconds after which no answer to Status is taken for none at all."""
HEALTHY_AFTER = 5.3
"""Seconds a connection must have stood before etcd lets the list be changed."""

NOTICED_AFTER = 0.5
"""Seconds within which a member notices that a peer's process has died.  Before that it may still
count the dead one: 7 of 8 adds sent right behind a SIGKILL were accepted by the real one."""


class Cluster(Protocol):
    """Some etcd members on hosts or ports of their own, and what is done to them."""

    version: str
    timeout: float
    """Seconds a call waits.  Generous: the contract says nothing about speed, and a slow machine
    must not look like an unknown outcome; tests that expect silence shorten it."""

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
        """Start a member on its directory, once the others of `initial` that run answer peers."""
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
    def add(
        self, number: int, new: int, *, learner: bool = True
    ) -> ListedMember | GatewayError: ...
    def promote(self, number: int, member_id: str) -> GatewayError | None: ...
    def remove(self, number: int, member_id: str) -> GatewayError | None: ...
    def move_leader(self, number: int, to: str) -> GatewayError | None: ...
    def disarm(self, number: int, member_id: str) -> object: ...

    def snapshot(self, number: int) -> object:
        """A snapshot over the network."""
        ...

    def restore(self, snapshot: object, number: int, token: str, *, bump: int = 0) -> None:
        """Restore it as the only member `number`, whose directory is free; revisions go up by
        `bump`."""
        ...

    def copy_data(self, number: int, to: int) -> None: ...
    def wipe(self, number: int) -> None: ...


def until(cluster: Cluster, condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until the condition holds."""
    for _ in range(int(seconds / 0.03)):
        if condition():
            return
        cluster.wait(0.03)
    raise AssertionError(f"not within {seconds:g} s")


def health(cluster: Cluster, number: int) -> MemberHealth:
    answer = cluster.status(number, PATIENCE)
    assert isinstance(answer, MemberHealth), answer
    return answer


def settled(cluster: Cluster, number: int) -> bool:
    """Whether it has applied whatever is committed."""
    answer = health(cluster, number)
    return answer.applied_index == answer.commit_index


def silent(cluster: Cluster, number: int) -> bool:
    """Whether it listens and answers nothing, not even Status."""
    answer = cluster.status(number, SILENCE)
    return isinstance(answer, GatewayError) and answer.outcome is Outcome.UNKNOWN


def serves(cluster: Cluster, number: int) -> bool:
    answer = cluster.status(number)
    return isinstance(answer, MemberHealth) and answer.leader != ""


def bootstrap(cluster: Cluster, size: int) -> None:
    for number in range(size):
        cluster.start(number, range(size))
    for number in range(size):
        until(cluster, lambda number=number: serves(cluster, number))  # type: ignore[misc]


def written(cluster: Cluster, number: int, key: str) -> int:
    """Write until it is acknowledged; an answer that was lost may have been a yes."""
    answers: list[int | GatewayError] = []

    def again() -> int | None:
        answers.append(cluster.put(number, key))
        return answers[-1] if isinstance(answers[-1], int) else None

    until(cluster, lambda: again() is not None)
    answer = answers[-1]
    assert isinstance(answer, int)
    return answer


def leader_of(cluster: Cluster, numbers: range | list[int]) -> int:
    found = [health(cluster, number) for number in numbers]
    ids = [one.member_id for one in found]
    return numbers[ids.index(found[0].leader)]


def ends(cluster: Cluster, number: int) -> int:
    until(cluster, lambda: cluster.exit_status(number) is not None)
    status = cluster.exit_status(number)
    assert status is not None
    return status


def error(answer: object) -> tuple[Outcome, str]:
    assert isinstance(answer, GatewayError), answer
    return answer.outcome, str(answer)


def listed(answer: MemberList | GatewayError) -> tuple[ListedMember, ...]:
    assert isinstance(answer, MemberList), answer
    return answer.members
