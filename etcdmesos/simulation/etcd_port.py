"""The controller's etcd port in the simulation: its two probes, over the simulated network.

The counterpart of `adapters.etcd`; both must tell the same events of the same happenings.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.cluster.commands import ProbeMember, ProbeProgress
from etcdmesos.cluster.events import MemberProbed, ProgressMade
from etcdmesos.ports import Post
from etcdmesos.simulation.etcd import EtcdClient
from etcdmesos.step import Command, CommandFailed, Event

__all__ = ["EtcdPort"]


@define(eq=False)
class EtcdPort:
    """A CommandPort for ProbeMember and ProbeProgress."""

    _client: EtcdClient
    _post: Post[Event]
    carries_out: tuple[type, ...] = (ProbeMember, ProbeProgress)

    def submit(self, command: Command, /) -> None:
        """Begin the probe; its answer comes as MemberProbed, ProgressMade or CommandFailed."""
        if isinstance(command, ProbeMember):
            self._client.status(command.client_url, lambda answer: self._probed(command, answer))
        elif isinstance(command, ProbeProgress):
            self._client.prove_progress(
                command.client_url, lambda answer: self._progressed(command, answer)
            )
        else:
            raise TypeError(f"not for this port: {command!r}")

    def close(self) -> None:
        """Nothing to give up: whoever posts to an ended process posts to nobody."""

    def _probed(self, command: ProbeMember, answer: Any) -> None:
        if isinstance(answer, GatewayError):
            self._post(CommandFailed(command=command, reason=str(answer)))
        else:
            self._post(MemberProbed(member=command.member, health=answer))

    def _progressed(self, command: ProbeProgress, answer: GatewayError | None) -> None:
        if answer is not None:
            self._post(CommandFailed(command=command, reason=str(answer)))
        else:
            self._post(ProgressMade(member=command.member))
