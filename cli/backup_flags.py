"""Where backups go, how many are kept, and what is restored from them: the flags, shared by the
scheduler and etcd-mesos-ctl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from etcdmesos.adapters.backups.choose import Access
from etcdmesos.adapters.backups.url import TargetUrl
from etcdmesos.backups.retention import Keep
from etcdmesos.backups.source import Source
from etcdmesos.cluster.backups.settings import BackupSettings
from etcdmesos.cluster.restore.settings import RestoreSettings
from etcdmesos.errors import BadUsage
from etcdmesos.version import VERSION

from . import flags as f
from .secret_file import read_secret

LEAST_INTERVAL = 60.0
"""Seconds.  A backup takes a good part of that."""
CREDENTIALS = "backup-credentials-file"


def _keep(text: str) -> str:
    """`text`, if it says how many backups are kept.  Raises ValueError."""
    Keep.parse(text)
    return text


def _restore_policy(text: str) -> str:
    """`text`, if it names a policy.  Raises ValueError."""
    if text not in ("auto", "manual"):
        raise ValueError(f"'{text}' is neither auto nor manual")
    return text


TARGET_FLAGS = (
    f.Flag("backup-url", f.text, "", "where backups go: s3://bucket/prefix, hdfs://namenode:port/"
           "path (its HTTP port), https://host/path, or file:///path for a folder that scheduler "
           "and agents share"),
    f.Flag("backup-credentials-file", f.text, "", "S3: KEY:SECRET (or as for the AWS tools, "
           "without); HTTP: the Authorization header, and in a second line the executors' if it "
           "is another; HDFS: a delegation token"),
    f.Flag("backup-s3-endpoint", f.text, "", "S3 server, http(s)://host:port, if not AWS'"),
    f.Flag("backup-s3-region", f.text, "", "S3 region, by default as for the AWS tools"),
)  # fmt: skip
FLAGS = (
    f.Flag(
        "restore-from",
        f.text,
        "",
        "make a new cluster from a backup, once: latest, a "
        "backup's address, or file:///path of a snapshot or data directory on this host",
    ),
    f.Flag(
        "restore-policy",
        _restore_policy,
        "manual",
        "auto: a cluster whose members are all "
        "gone is restored from its newest backup; manual: only when asked, etcd-mesos-ctl "
        "restore",
    ),
    f.Flag(
        "restore-older",
        f.boolean,
        False,
        "restore the backup before the newest if that one is damaged",
    ),
    *TARGET_FLAGS,
    f.Flag("backup-interval", f.number, 1800.0, "seconds between two backups"),
    f.Flag("backup-keep", _keep, "48", "backups kept: a number, an age, or both, as in 48,7d"),
)


def access(values: Mapping[str, Any]) -> Access | None:
    """Where backups go; None when nowhere.  Raises BadUsage."""
    text, path = values["backup_url"], values["backup_credentials_file"]
    if not text:
        return None
    try:
        url = TargetUrl.parse(text)
    except BadUsage as error:
        raise BadUsage(f"-backup-url: {error}") from None
    _check_endpoint(values["backup_s3_endpoint"])
    secrets = read_secret(CREDENTIALS, path).splitlines() if path else []
    try:
        return Access(
            url=url,
            secrets=tuple(line.strip() for line in secrets if line.strip()),
            s3_endpoint=values["backup_s3_endpoint"],
            s3_region=values["backup_s3_region"],
        )
    except BadUsage as error:
        raise BadUsage(f"-{CREDENTIALS}={path}: {error}") from None


def settings(values: Mapping[str, Any]) -> BackupSettings | None:
    """What the controller is told of backups.  Raises BadUsage."""
    found = access(values)
    if values["backup_interval"] < LEAST_INTERVAL:
        raise BadUsage(f"-backup-interval must be at least {LEAST_INTERVAL:g}")
    if found is None:
        return None
    return BackupSettings(
        target=str(found.url),
        tool=f"etcd-mesos {VERSION}",
        interval=values["backup_interval"],
        keep=Keep.parse(values["backup_keep"]),
    )


def restore_settings(values: Mapping[str, Any]) -> RestoreSettings:
    """What the controller is told of restoring.  Raises BadUsage."""
    found, text = access(values), values["restore_from"]
    target = str(found.url) if found is not None else ""
    if values["restore_policy"] == "auto" and not target:
        raise BadUsage("-restore-policy=auto needs -backup-url: that is what it restores from")
    try:
        source = Source.parse(text, target, values["cluster_name"]) if text else None
    except BadUsage as error:
        raise BadUsage(f"-restore-from={text}: {error}") from None
    return RestoreSettings(
        source=source,
        automatic=values["restore_policy"] == "auto",
        older=values["restore_older"],
    )


def _check_endpoint(text: str) -> None:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc):
        raise BadUsage("-backup-s3-endpoint: must be http(s)://host:port")
