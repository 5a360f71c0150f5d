"""The page at `/` of the admin interface: how the cluster stands, at a glance, for a person.

Made on the server from the body of /stats, without scripts; it reloads itself.  What it shows is
decided in `etcdmesos.cluster.report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

RELOAD_SECONDS = 2
COLUMNS = ("name", "hostname", "serving", "leader", "taskState", "version", "clientURL", "alarms")

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
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3em .8em .3em 0; border-bottom: 1px solid #ddd }}
</style>
</head>
<body>
<h1>{name} <span>{phase}</span></h1>
<p>{why}</p>
<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>
<p>generation {generation}, epoch {epoch}, revision {highest_revision}, cluster {cluster_id};
framework {framework_id} at {master}</p>
<p><a href="stats">stats</a> <a href="members">members</a> <a href="healthz">healthz</a>
<a href="events">events</a> <a href="metrics">metrics</a></p>
</body>
</html>
"""


def page(stats: Mapping[str, Any]) -> str:
    """The page that shows `stats`, the body of /stats."""
    shown = {key: escape(str(value)) or "none yet" for key, value in stats.items()}
    rows = "".join(
        "<tr>" + "".join(f"<td>{_cell(member[column])}</td>" for column in COLUMNS) + "</tr>"
        for member in stats["members"]
    )
    return _PAGE.format(
        **{key: shown[key] for key in _SHOWN},
        name=shown["cluster_name"],
        colour="#2a7d2a" if stats["phase"] == "healthy" else "#b3541e",
        heads="".join(f"<th>{column}</th>" for column in COLUMNS),
        rows=rows,
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
)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(", ".join(value) if isinstance(value, list) else str(value))
