"""What the executor's core may ask of the outside: frozen values, each with its duty.

Every command ends in one event (see `ports.CommandPort`).
"""

from __future__ import annotations

from attrs import frozen

from etcdmesos.executor.model import Update
from etcdmesos.step import Command

# The agent


@frozen(kw_only=True)
class Subscribe(Command):
    """Subscribe at the agent, naming what it has not acknowledged yet.

    One attempt: ends in Subscribed, or in Disconnected.  The adapter never subscribes by itself.
    """

    tasks: tuple[str, ...]
    """The TaskInfos (JSON) of tasks none of whose updates was acknowledged."""
    updates: tuple[Update, ...]


@frozen(kw_only=True)
class SendUpdate(Command):
    """Hand one status update to the agent.

    Only one is under way at a time, or a later state could overtake an earlier one.  Done means
    that the agent took the call; it has stored the update once UpdateAcknowledged comes.
    """

    update: Update


# etcd


@frozen(kw_only=True)
class Prepare(Command):
    """Look whether etcd can be started here, and make its data directory.

    Asked once, before the first start.  Ends in EtcdPrepared, or in a failure that says what is in
    the way; nothing was started then.
    """

    data_directory: str
    """Below the sandbox.  Must not exist, or be empty."""
    host: str
    ports: tuple[int, ...]
    room_bytes: int
    """Disk space that must be free."""


@frozen(kw_only=True)
class StartEtcd(Command):
    """Start etcd with these arguments.  Only while no etcd of ours runs.

    Ends in EtcdStarted (and then, whenever that is, EtcdExited) or in a failure: nothing runs.
    """

    run: int
    arguments: tuple[str, ...]


@frozen(kw_only=True)
class SignalEtcd(Command):
    """Send this signal to etcd.  Done means sent; what it leads to is EtcdExited."""

    run: int
    signal: int


@frozen(kw_only=True)
class ProbeMember(Command):
    """Ask our own etcd for its Status.  Ends in MemberProbed or a failure."""

    run: int
    client_url: str


@frozen(kw_only=True)
class AskPeers(Command):
    """Ask the other members whom they list.  Ends in PeersAnswered, at worst without an answer."""

    run: int
    peer_urls: tuple[str, ...]
