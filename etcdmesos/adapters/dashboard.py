"""The page at `/` of the admin interface: how the cluster stands, at a glance, for a person.

Made on the server from the body of /stats and what happened last, without scripts; it reloads
itself.  What it shows is decided in `etcdmesos.cluster.report` and `happenings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from etcdmesos.cluster.report import STANDBY

RELOAD_SECONDS = 2
EVENTS_SHOWN = 20
COLUMNS = {
    "name": "member",
    "hostname": "host",
    "role": "role",
    "step": "step",
    "serving": "serving",
    "leader": "leader",
    "taskState": "task",
    "revision": "revision",
    "version": "etcd",
    "clientURL": "clients at",
    "alarms": "alarms",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="{reload}">
<meta name="viewport" content="width=device-width">
<title>{name}: {phase}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }}
h1 span {{ border-radius: .3em; padding: 0 .4em; color: white; background: {colour} }}
h2 {{ font-size: 1.1em; margin: 1.5em 0 .3em }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .2em .8em .2em 0 }}
td:first-child {{ white-space: nowrap }}
tr {{ border-bottom: 1px solid #ddd }}
.warning {{ color: #a33b0b }}
</style>
</head>
<body>
<h1>{name} <span>{phase}</span></h1>
<p>{why}</p>
{findings}
<h2>Members</h2>
{members}
{history}
<h2>Events</h2>
{events}
<p>generation {generation}, epoch {epoch}, revision {highest_revision}, cluster {cluster_id};
framework {framework_id} at {master}; this scheduler: {role}</p>
<p><a href="stats">stats</a> <a href="members">members</a> <a href="healthz">healthz</a>
<a href="backups">backups</a> <a href="events">events</a> <a href="metrics">metrics</a></p>
</body>
</html>
"""


def page(stats: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    """The page that shows `stats`, the body of /stats, and `events`, oldest first, each as GET
    /events tells it."""
    shown = {key: escape(str(value)) or "none yet" for key, value in stats.items()}
    return _PAGE.format(
        **{key: shown[key] for key in _SHOWN},
        name=shown["cluster_name"],
        colour=_colour(stats),
        findings=_list((finding["text"] for finding in stats["findings"]), "warning"),
        members=_table(
            COLUMNS.values(),
            (
                (_urgency(stats, member), [member[key] for key in COLUMNS])
                for member in stats["members"]
            ),
        ),
        history=_history(stats),
        events=_table(
            ("when (UTC)", "what", ""),
            (("warning" if event["warning"] else "", _event(event)) for event in reversed(events)),
        ),
        reload=RELOAD_SECONDS,
    )


_SHOWN = (
    "phase",
    "why",
    "generation",
    "epoch",
    "highest_revision",
    "cluster_id",
    "framework_id",
    "master",
    "role",
)


GREEN, AMBER, RED, GREY = "#2a7d2a", "#b3541e", "#b00020", "#666"


def _colour(stats: Mapping[str, Any]) -> str:
    """Across the room: all is well, look at it today, clients are failing; or nobody knows here."""
    if stats["role"] == STANDBY:
        return GREY
    if stats["phase"] == "healthy":
        return GREEN
    return AMBER if stats["healthy"] else RED


def _urgency(stats: Mapping[str, Any], member: Mapping[str, Any]) -> str:
    return "" if member["serving"] or stats["role"] == STANDBY else "warning"


def _event(event: Mapping[str, Any]) -> list[str]:
    return [event["time"][: len("2026-11-22T23:59:45")], event["kind"], event["text"]]


def _history(stats: Mapping[str, Any]) -> str:
    """What the cluster went through, and what there is to restore from."""
    told = ""
    if stats["reseeds"]:
        told += "<h2>Reseeds</h2>" + _list(one["text"] for one in reversed(stats["reseeds"]))
    if stats["restores"]:
        told += "<h2>Restores</h2>" + _list(one["text"] for one in reversed(stats["restores"]))
    backups = stats["backups"]
    if backups is not None:
        newest = backups["newest"]
        told += "<h2>Backups</h2>" + _list(
            [
                f"newest in {backups['target']}: {newest['name']}, revision {newest['revision']}, "
                f"{newest['size']} bytes"
                if newest
                else f"none in {backups['target']} yet"
            ]
        )
    return told


def _list(lines: Iterable[str], kind: str = "") -> str:
    items = "".join(f'<li class="{kind}">{escape(line)}</li>' for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(heads: Iterable[str], rows: Iterable[tuple[str, Sequence[Any]]]) -> str:
    """Each row with its kind, "" or "warning"."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        f'<tr class="{kind}">' + "".join(f"<td>{_cell(value)}</td>" for value in values) + "</tr>"
        for kind, values in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(", ".join(value) if isinstance(value, list) else str(value))
