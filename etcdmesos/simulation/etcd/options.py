"""How a simulated etcd is started: the flags that matter, typed, also read from real arguments."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from etcdmesos.simulation.errors import ImpossibleWorld
from etcdmesos.simulation.etcd.surroundings import Timing

__all__ = ["EtcdOptions"]

_WITHOUT_EFFECT = (
    "logger", "log-outputs", "log-level", "listen-peer-urls", "listen-client-urls",
    "auto-compaction-mode", "auto-compaction-retention",
)  # fmt: skip


@frozen(kw_only=True)
class EtcdOptions:
    """etcd's flags, with etcd's defaults.  One peer URL and one client URL per member."""

    name: str
    data_directory: str
    peer_url: str
    client_url: str
    initial_cluster: str = ""
    """`name=url,name=url`; ignored where there is a write-ahead log already."""
    token: str = "etcd-cluster"  # noqa: S105
    initial_cluster_state: str = "new"
    force_new_cluster: bool = False
    pre_vote: bool | None = None
    """None: as the version has it by default."""
    strict_reconfiguration: bool = True
    quota_bytes: int = 2 * 1024**3
    snapshot_count: int = 100_000
    timing: Timing = field(factory=Timing)

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> EtcdOptions:
        """The options in `--name=value` arguments.  Raises ImpossibleWorld for one not known."""
        given: dict[str, str] = {}
        for argument in arguments:
            name, separator, value = argument.lstrip("-").partition("=")
            given[name] = value if separator else "true"
        for ignored in _WITHOUT_EFFECT:
            given.pop(ignored, None)
        heartbeat = float(given.pop("heartbeat-interval", "100")) / 1000
        election = float(given.pop("election-timeout", "1000")) / 1000
        quota = int(given.pop("quota-backend-bytes", "0")) or 2 * 1024**3
        pre_vote = given.pop("pre-vote", None)
        options = cls(
            name=given.pop("name"),
            data_directory=given.pop("data-dir"),
            peer_url=given.pop("initial-advertise-peer-urls"),
            client_url=given.pop("advertise-client-urls"),
            initial_cluster=given.pop("initial-cluster", ""),
            token=given.pop("initial-cluster-token", "etcd-cluster"),
            initial_cluster_state=given.pop("initial-cluster-state", "new"),
            force_new_cluster=given.pop("force-new-cluster", "false") == "true",
            pre_vote=None if pre_vote is None else pre_vote == "true",
            strict_reconfiguration=given.pop("strict-reconfig-check", "true") == "true",
            quota_bytes=quota,
            snapshot_count=int(given.pop("snapshot-count", "100000")),
            timing=Timing(heartbeat, election),
        )
        if given:
            raise ImpossibleWorld(f"flags that the simulated etcd does not know: {sorted(given)}")
        return options
