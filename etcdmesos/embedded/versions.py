"""Which version the embedded Mesos says it is, and its flags. Data only."""

from __future__ import annotations

from typing import Any

from etcdmesos.embedded.executors import duration

Json = dict[str, Any]

# The version whose answers it gives; there is no build behind it.
VERSION: Json = {
    "version": "1.12.0",
    "git_sha": "c1b42f79d157aa900be5cbb0c1023f1479962aa7",
    "build_date": "2026-11-22 06:45:47 UTC",
    "build_time": 1795329947.0,
    "build_user": "root",
}

# The operator API puts the same fields in another order.
VERSION_INFO: Json = {name: VERSION[name] for name in ("version", *sorted(VERSION)[:3], "git_sha")}

_COMMON = {
    "authenticate_http_readonly": "false",
    "authenticate_http_readwrite": "false",
    "help": "false",
    "hostname_lookup": "true",
    "initialize_driver_logging": "true",
    "logbufsecs": "0",
    "logging_level": "INFO",
    "memory_profiling": "false",
    "quiet": "false",
    "version": "false",
    "zk_session_timeout": "10secs",
}


def master_flags(
    *, port: int, host: str, cluster: str, work_dir: str, allocation: float, ping: float, pings: int
) -> dict[str, str]:
    """The flags an equal mesos-master would have been started with."""
    return dict(
        sorted(
            {
                **_COMMON,
                "agent_ping_timeout": duration(ping),
                "agent_reregister_timeout": "10mins",
                "allocation_interval": duration(allocation),
                "allocator": "hierarchical",
                "authenticate_agents": "false",
                "authenticate_frameworks": "false",
                "authenticate_http_frameworks": "false",
                "authenticators": "crammd5",
                "authorizers": "local",
                "cluster": cluster,
                "framework_sorter": "drf",
                "hostname": host,
                "http_authenticators": "basic",
                "ip": host,
                "max_agent_ping_timeouts": str(pings),
                "max_completed_frameworks": "50",
                "max_completed_tasks_per_framework": "1000",
                "min_allocatable_resources": "cpus:0.01|mem:32",
                "port": str(port),
                "registry": "in_memory",
                "role_sorter": "drf",
                "root_submissions": "true",
                "work_dir": work_dir,
            }.items()
        )
    )


def agent_flags(
    *,
    port: int,
    host: str,
    master: str,
    work_dir: str,
    resources: str,
    attributes: str,
    domain: str,
    durations: dict[str, float],
) -> dict[str, str]:
    """The flags an equal mesos-agent would have been started with."""
    return dict(
        sorted(
            {
                **_COMMON,
                "attributes": attributes,
                "authenticatee": "crammd5",
                "authorizer": "local",
                "containerizers": "mesos",
                "default_role": "*",
                **({"domain": domain} if domain else {}),
                "fetcher_cache_dir": f"{work_dir}/fetch",
                "hostname": host,
                "http_command_executor": "false",
                "ip": host,
                "isolation": "posix/cpu,posix/mem",
                "launcher": "posix",
                "master": master,
                "port": str(port),
                "recover": "reconnect",
                "resources": resources,
                "strict": "true",
                "switch_user": "false",
                "work_dir": work_dir,
                **{name: duration(seconds) for name, seconds in durations.items()},
            }.items()
        )
    )
