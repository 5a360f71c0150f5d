"""etcd-mesos-ctl backup: what is backed up, one more now, and whether a backup is good.

With -backup-url the target is read directly, so that this works without any scheduler, too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etcdmesos.adapters.backups.choose import opener
from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.rehearsal import rehearse
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import is_name
from etcdmesos.errors import BadUsage, EtcdMesosError
from etcdmesos.moments import iso

from . import backup_flags, programs
from . import flags as f
from .admin_client import AdminClient
from .tables import table

Values = Mapping[str, Any]

FLAGS = (
    *backup_flags.TARGET_FLAGS,
    f.Flag("cluster-name", f.text, "default", "whose backups, with -backup-url"),
    f.Flag("backup", f.text, "", "verify or fetch this one instead of the newest"),
    f.Flag("to", f.text, "", "fetch: the file to write"),
    f.Flag("restore", f.boolean, False, "verify: also restore it, in a folder of its own, start "
           "etcd on it and count its keys"),
    f.Flag("seconds", f.number, 3600.0, "how long reading a backup may take"),
    f.Flag("work-dir", f.text, "", "where to restore, by default in a temporary folder"),
    f.Flag("etcd-bin", f.text, "", "path of etcd, by default on PATH"),
    f.Flag("etcdctl-bin", f.text, "", "path of etcdctl, by default beside etcd, or on PATH"),
    f.Flag("etcdutl-bin", f.text, "", "path of etcdutl, by default beside etcd, or on PATH"),
)  # fmt: skip

COLUMNS = {
    "NAME": "name",
    "TAKEN": "taken",
    "REVISION": "revision",
    "BYTES": "size",
    "MEMBER": "member",
    "GENERATION": "generation",
    "ETCD": "etcd_version",
}


class NoBackup(EtcdMesosError):
    """There is nothing to be verified."""


def backup(client: AdminClient, values: Values) -> None:
    """What `values["action"]` says.  Raises EtcdMesosError."""
    actions: dict[str, Callable[[AdminClient, Values], None]] = {
        "list": _list,
        "now": _now,
        "verify": _verify,
        "fetch": _fetch,
    }
    action = actions.get(values["action"])
    if action is None:
        raise BadUsage(f"backup {values['action']}: must be one of {', '.join(actions)}")
    action(client, values)


def _list(client: AdminClient, values: Values) -> None:
    """Those that count, newest first."""
    if values["backup_url"]:
        catalogue = _library(values).catalogue()
        backups = [_described(manifest) for manifest in catalogue.backups]
    else:
        answer = client.get("/backups")
        backups = answer["backups"]
        if answer["trouble"]:
            print(answer["trouble"])
    rows = [{**one, "taken": iso(one["taken_at"]), "member": _whose(one)} for one in backups]
    print(table(rows, COLUMNS) if rows else "no backups")


def _whose(backup: Mapping[str, Any]) -> str:
    return f"{backup['member']} (no quorum)" if backup["survivor"] else str(backup["member"])


def _now(client: AdminClient, _values: Values) -> None:
    print(client.post("/backup", {}))


def _verify(_client: AdminClient, values: Values) -> None:
    """Read it back, and with -restore try it out."""
    library = _library(values)
    manifest = _wanted(library, values)
    print(f"{manifest.name}: revision {manifest.revision}, {manifest.size} bytes")
    if not values["restore"]:
        began = time.monotonic()
        library.check(manifest, seconds=values["seconds"])
        print(f"is whole: read back in {time.monotonic() - began:.1f} s")
        return
    _restore(library, manifest, values)


def _fetch(_client: AdminClient, values: Values) -> None:
    """Write one to a file that has its name only once it is whole."""
    library = _library(values)
    path = Path(values["to"])
    if not values["to"] or path.exists():
        raise BadUsage("-to=FILE: give the name of a file that is not there yet")
    manifest = _wanted(library, values)
    try:
        library.fetch(manifest, path, seconds=values["seconds"])
    except OSError as error:
        raise NoBackup(f"-to={path}: {error.strerror or error}") from None
    print(f"{manifest.name}: {manifest.size} bytes at revision {manifest.revision} in {path}")


def _restore(library: Library, manifest: Manifest, values: Values) -> None:
    etcd = programs.binary("etcd-bin", values["etcd_bin"], "etcd", Path())
    tool = programs.restorer(values, etcd, programs.etcd_version(etcd))
    if tool is None:
        raise BadUsage("no etcdutl (before 3.5: etcdctl) beside etcd or on PATH")
    try:
        with tempfile.TemporaryDirectory(
            prefix="etcd-mesos-rehearsal-", dir=values["work_dir"] or None
        ) as folder:
            found = rehearse(
                library,
                manifest,
                etcd=etcd.resolve(),
                tool=tool.resolve(),
                folder=Path(folder),
                seconds=values["seconds"],
            )
    except OSError as error:
        raise NoBackup(f"restoring it: {error.strerror or error}") from None
    print(
        f"is good: {found.keys} keys at revision {found.revision}; fetched in "
        f"{found.fetch_seconds:.1f} s, restored in {found.restore_seconds:.1f} s, served after "
        f"{found.start_seconds:.1f} s more"
    )


def _wanted(library: Library, values: Values) -> Manifest:
    wanted = values["backup"]
    if wanted and not is_name(wanted):
        raise BadUsage(f"-backup={wanted}: is no name of a backup; `backup list` shows them")
    found = [m for m in library.catalogue().backups if wanted in ("", m.name)]
    if not found:
        raise NoBackup(f"there is no backup {wanted}".rstrip() + f" of {values['cluster_name']}")
    return found[0]


def _library(values: Values) -> Library:
    access = backup_flags.access(values)
    if access is None:
        raise BadUsage("this reads the target itself: give -backup-url, and -cluster-name")
    cluster = values["cluster_name"]
    return Library(opener(access, cluster)(), cluster, time.time)


def _described(manifest: Manifest) -> dict[str, Any]:
    wanted = {"taken_at", "survivor", *COLUMNS.values()} - {"taken"}
    return {name: getattr(manifest, name) for name in wanted}
