"""The controller's etcd port in the simulation: all that is asked of etcd, over the network there.

The counterpart of `adapters.etcd`; both must tell the same events of the same happenings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.cluster.commands import (
    AddLearner,
    ListMembers,
    ProbeMember,
    ProbeProgress,
    PromoteLearner,
    RemoveMember,
)
from etcdmesos.cluster.events import MemberProbed, MembersListed, ProgressMade
from etcdmesos.ports import Post
from etcdmesos.simulation.etcd import EtcdClient
from etcdmesos.step import Command, CommandDone, CommandFailed, CommandUnknown, Event

__all__ = ["EtcdPort"]

RECONFIGURES = (AddLearner, PromoteLearner, RemoveMember)
CHANGE_TIMEOUT = 5.0
"""Seconds, as the real adapter's for the list and for changes."""


@define(eq=False)
class EtcdPort:
    """A CommandPort for everything that is asked of etcd."""

    _client: EtcdClient
    _post: Post[Event]
    _patient: EtcdClient = field(init=False)
    carries_out: tuple[type, ...] = (
        ProbeMember,
        ProbeProgress,
        ListMembers,
        AddLearner,
        PromoteLearner,
        RemoveMember,
    )

    def __attrs_post_init__(self) -> None:
        self._patient = evolve(self._client, timeout=CHANGE_TIMEOUT)

    def submit(self, command: Command, /) -> None:
        """Begin the call; its answer or its outcome comes as one event."""
        if isinstance(command, ProbeMember):
            self._client.status(
                command.client_url,
                self._told(command, lambda h: MemberProbed(member=command.member, health=h)),
            )
        elif isinstance(command, ProbeProgress):
            self._client.prove_progress(
                command.client_url,
                self._told(command, lambda _: ProgressMade(member=command.member)),
            )
        elif isinstance(command, ListMembers):
            self._list(command)
        else:
            self._change(command)

    def close(self) -> None:
        """Nothing to give up: whoever posts to an ended process posts to nobody."""

    def _list(self, command: ListMembers) -> None:
        """As the real adapter: a linearizable read first, since 3.4 lists what it has applied."""
        told = self._told(command, lambda listed: MembersListed(members=listed))

        def read(answer: Any) -> None:
            if isinstance(answer, GatewayError):
                told(answer)
            else:
                self._patient.list_members(command.client_url, told)

        self._patient.get(command.client_url, "\0", read)

    def _change(self, command: Command) -> None:
        done = self._told(command, lambda _: CommandDone(command=command))
        if isinstance(command, AddLearner):
            self._patient.add_member(command.client_url, (command.peer_url,), done, learner=True)
        elif isinstance(command, PromoteLearner):
            self._patient.promote(command.client_url, command.id, done)
        elif isinstance(command, RemoveMember):
            self._patient.remove_member(command.client_url, command.id, done)
        else:
            raise TypeError(f"not for this port: {command!r}")

    def _told(self, command: Command, event: Callable[[Any], Event]) -> Callable[[Any], None]:
        """Posts `event` of an answer, and what is known when there is none."""
        changes = isinstance(command, RECONFIGURES)

        def tell(answer: Any) -> None:
            if not isinstance(answer, GatewayError):
                self._post(event(answer))
            elif changes and not answer.certain:
                self._post(CommandUnknown(command=command, reason=str(answer)))
            else:
                self._post(CommandFailed(command=command, reason=str(answer)))

        return tell
