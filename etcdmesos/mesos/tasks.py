"""What is launched: a task with an executor of its own, as a value and as the v1 API's TaskInfo."""

from __future__ import annotations

import base64
from typing import Any

from attrs import frozen

from etcdmesos.mesos.resources import Resource


@frozen(kw_only=True)
class Uri:
    """A file for the fetcher.  `output_file` is its name in the sandbox."""

    value: str
    output_file: str
    executable: bool = False
    cache: bool = True
    """Whether the agent may keep it for the next task; right for content-addressed URIs."""


@frozen(kw_only=True)
class DiscoveryPort:
    """A port for Mesos-DNS, which makes `_<discovery name>._<protocol>.<framework>.mesos` of it."""

    number: int
    name: str
    protocol: str


@frozen(kw_only=True)
class Task:
    """A task to launch.  Everything in it but `data` is public: no secret may be here."""

    id: str
    name: str
    agent_id: str
    executor_id: str
    command: str
    """A shell command line, run in the sandbox."""
    uris: tuple[Uri, ...]
    environment: tuple[tuple[str, str], ...] = ()
    resources: tuple[Resource, ...]
    executor_resources: tuple[Resource, ...]
    labels: tuple[tuple[str, str], ...]
    discovery_name: str
    ports: tuple[DiscoveryPort, ...]
    data: bytes
    """Handed to the executor with the task."""
    grace_seconds: float
    """How long a kill or a shutdown may take (agents enforce the second one)."""


def task_info(task: Task, framework_id: str) -> dict[str, Any]:
    """The v1 API's TaskInfo of `task`."""
    grace = {"nanoseconds": int(task.grace_seconds * 1e9)}
    return {
        "name": task.name,
        "task_id": {"value": task.id},
        "agent_id": {"value": task.agent_id},
        "resources": [r.to_json() for r in task.resources],
        "executor": {
            "type": "CUSTOM",
            "executor_id": {"value": task.executor_id},
            "framework_id": {"value": framework_id},
            "name": task.name,
            "source": task.name,
            "resources": [r.to_json() for r in task.executor_resources],
            "command": {
                "shell": True,
                "value": task.command,
                "uris": [_uri(uri) for uri in task.uris],
                "environment": {
                    "variables": [{"name": k, "value": v} for k, v in task.environment]
                },
            },
            "shutdown_grace_period": grace,
        },
        "labels": {"labels": [{"key": k, "value": v} for k, v in task.labels]},
        "discovery": {
            "visibility": "EXTERNAL",
            "name": task.discovery_name,
            "ports": {
                "ports": [
                    {"number": p.number, "name": p.name, "protocol": p.protocol} for p in task.ports
                ]
            },
        },
        "kill_policy": {"grace_period": grace},
        "data": base64.b64encode(task.data).decode("ascii"),
    }


def _uri(uri: Uri) -> dict[str, Any]:
    return {
        "value": uri.value,
        "output_file": uri.output_file,
        "executable": uri.executable,
        "extract": False,
        "cache": uri.cache,
    }
