"""The arguments etcd is started with.  Everything that matters is said, whatever its default."""

from __future__ import annotations

from etcdmesos.member_spec import MemberSpec


def arguments(spec: MemberSpec, data_directory: str) -> tuple[str, ...]:
    """etcd's arguments for this member; understood by 3.4 and by all since."""
    ours = {
        "name": spec.name,
        "data-dir": data_directory,
        "initial-cluster": spec.initial_cluster,
        "initial-cluster-token": spec.token,
        "initial-cluster-state": spec.initial_cluster_state,
        "listen-peer-urls": spec.peer_url,
        "initial-advertise-peer-urls": spec.peer_url,
        "listen-client-urls": spec.client_url,
        "advertise-client-urls": spec.client_url,
        "quota-backend-bytes": str(spec.quota_bytes),
        "strict-reconfig-check": "true",
        # Off by default in 3.4: a member that was cut off would depose the leader on its return.
        "pre-vote": "true",
        # 3.4 would write another format, and to journald where there is one.
        "logger": "zap",
        "log-outputs": "stderr",
    }
    return (*(f"--{name}={value}" for name, value in ours.items()), *spec.options)


def peer_urls(spec: MemberSpec) -> tuple[str, ...]:
    """The other members' peer URLs, as far as they were known at launch."""
    pairs = (entry.partition("=") for entry in spec.initial_cluster.split(",") if entry)
    return tuple(url for name, _, url in pairs if name != spec.name)
