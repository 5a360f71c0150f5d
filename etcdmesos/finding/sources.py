"""What the Mesos master and the scheduler tell of a cluster: whom to ask, and which cluster counts.

The master knows tasks.  Which of them are voters etcd alone knows; and which cluster is the present
one, when there was another before, the scheduler alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from etcdmesos.cluster.labels import Labels
from etcdmesos.mesos.master_state import ListedFramework
from etcdmesos.mesos.statuses import TaskState

SEEDING = ("reseeding", "restoring")
"""The phases of `statecharts/cluster.yaml` in which nobody may use the members."""


@frozen(kw_only=True)
class Hints:
    """Whom to ask about a cluster."""

    client_urls: tuple[str, ...] = ()
    """Of the members that run; perhaps learners, perhaps of a cluster of the past."""
    admin_urls: tuple[str, ...] = ()
    """Where its scheduler perhaps listens."""


@frozen(kw_only=True)
class Announced:
    """What the acting scheduler says of its cluster."""

    cluster_id: str
    """"" while there is none that clients may use."""
    client_urls: tuple[str, ...] = ()
    """Of its members."""
    reseeding: bool = False
    """Its members are being stopped, or one of them serves as a seed that may yet be given up."""
    why: str = ""
    """What the scheduler waits for, in its own words."""


def present(frameworks: Iterable[ListedFramework]) -> tuple[ListedFramework, ...]:
    """Those that are active; if none is, all: a scheduler may be away while its cluster serves."""
    listed = tuple(frameworks)
    return tuple(f for f in listed if f.active) or listed


def hints(frameworks: Iterable[ListedFramework], cluster_name: str) -> Hints:
    """What the frameworks and the labels of their running tasks tell."""
    client_urls: list[str] = []
    admin_urls: list[str] = []
    for framework in frameworks:
        if framework.webui_url.startswith("http://"):
            admin_urls.append(framework.webui_url)
        for task in framework.tasks:
            labels = Labels.of(task.labels, cluster_name, framework.id)
            if labels is not None and task.state is TaskState.RUNNING:
                client_urls.append(labels.client_url)
    return Hints(client_urls=tuple(client_urls), admin_urls=tuple(admin_urls))


def announced(stats: Any, cluster_name: str) -> Announced | None:
    """The word of a scheduler, from the body of its /stats, the members of which are those of
    /members.

    None for a standby, which knows the record at best.  Raises ValueError when it is another
    cluster's scheduler, or none.
    """
    try:
        if stats["cluster_name"] != cluster_name:
            raise ValueError(f"is the scheduler of cluster {stats['cluster_name']!r:.100}")
        word = Announced(
            cluster_id=str(stats["cluster_id"]),
            client_urls=tuple(str(member["clientURL"]) for member in stats["members"]),
            reseeding=stats["phase"] in SEEDING,
            why=str(stats["why"]),
        )
        return word if stats["role"] == "leader" else None
    except (KeyError, TypeError) as error:
        raise ValueError(f"is no etcd-mesos scheduler: {error!r:.100}") from error
