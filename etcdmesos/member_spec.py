"""What an executor is told about the member it runs: the TaskInfo's data, as a value and as JSON.

Given by the cluster's side, kept by the executor's; what they say to each other later is in
`orders.py`.  Pure; holds no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from attrs import asdict, field, frozen, validators

from etcdmesos.errors import EtcdMesosError

_text = validators.instance_of(str)


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


_port = [validators.instance_of(int), validators.ge(1), validators.le(65535)]


class BadMemberSpec(EtcdMesosError):
    """The task's data is no member description this executor understands."""


@frozen(kw_only=True)
class MemberSpec:
    """One member as its executor starts it."""

    name: str = field(validator=_text)
    """etcd's member name; never used by another member."""
    generation: int = field(validator=validators.instance_of(int))
    epoch: int = field(validator=validators.instance_of(int))
    """The scheduler's epoch at launch; commands of a lower one are refused."""
    token: str = field(validator=_text)
    """`--initial-cluster-token`."""
    initial_cluster: str = field(validator=_text)
    """`--initial-cluster`: name=peer URL, comma-separated, this member included."""
    initial_cluster_state: str = field(validator=validators.in_(("new", "existing")))
    scheme: str = field(validator=validators.in_(("http", "https")))
    host: str = field(validator=_text)
    """The agent's address, to listen on and to advertise."""
    peer_port: int = field(validator=_port)
    client_port: int = field(validator=_port)
    quota_bytes: int = field(validator=[validators.instance_of(int), validators.ge(1)])
    """`--quota-backend-bytes`."""
    options: tuple[str, ...] = field(default=(), converter=_texts)
    """The operator's own etcd options, each `--name=value`."""
    grace_seconds: float = field(default=15.0, converter=float)
    """How long a graceful stop may take."""
    restores: bool = field(default=False, validator=validators.instance_of(bool))
    """etcd is not started before an order has restored a backup here."""

    @property
    def peer_url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.peer_port}"

    @property
    def client_url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.client_port}"

    def to_json(self) -> bytes:
        fields = asdict(self)
        if not self.restores:
            del fields["restores"]  # unknown to executors of before
        return json.dumps(fields, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> MemberSpec:
        """Raises BadMemberSpec with what is wrong."""
        try:
            fields: dict[str, Any] = json.loads(data)
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise BadMemberSpec(f"the task's data is no member description: {error}") from error
