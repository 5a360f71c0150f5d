"""The flags about one cluster at one Mesos master, shared by the daemons that need it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from etcdmesos.adapters.master_zookeeper import ZooKeeperMaster
from etcdmesos.adapters.mesos_framework import FixedMaster, MasterDetector
from etcdmesos.adapters.mesos_http import Credentials, MasterAddress
from etcdmesos.adapters.zookeeper import ZooKeeperUrl
from etcdmesos.errors import BadUsage

from . import flags as f
from .secret_file import read_secret
from .zookeeper_sessions import ZooKeeperSessions

MASTER = f.Flag(
    "master", f.text, "", "the Mesos master, host:port or zk://host:port,host:port/mesos"
)
CLUSTER_NAME = f.Flag(
    "cluster-name", f.text, "default", "name of the cluster; one is one framework"
)
FRAMEWORK_NAME = f.Flag(
    "framework-name", f.text, "", "framework's name, etcd-<cluster-name> if not given"
)
ZK_AUTHENTICATION_FILE = f.Flag(
    "zk-authentication-file",
    f.text,
    "",
    "file with user:password for ZooKeeper's digest authentication",
)
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
LONGEST_NAME = 200
"""Characters; a framework's name is that of a folder, which may have 255."""
PRINCIPAL = f.Flag("mesos-authentication-principal", f.text, "", "principal at the Mesos master")
SECRET_FILE = f.Flag("mesos-authentication-secret-file", f.text, "", "file with the secret")


def read_names(values: dict[str, Any]) -> None:
    """Check the master and the names, and fill in the framework's.  Raises BadUsage."""
    if not values["master"]:
        raise BadUsage("-master is missing: give the Mesos master as host:port or zk://…/mesos")
    if not values["master"].startswith("zk://"):
        try:
            MasterAddress.parse(values["master"])
        except BadUsage as error:
            raise BadUsage(f"-master: {error}") from None
    _check_name("cluster-name", values["cluster_name"])
    values["framework_name"] = values["framework_name"] or f"etcd-{values['cluster_name']}"
    _check_name("framework-name", values["framework_name"])


def _check_name(flag: str, name: str) -> None:
    """It becomes part of paths, addresses and etcd's flags.  Raises BadUsage."""
    if not NAME.fullmatch(name):
        raise BadUsage(f"-{flag}={name[:LONGEST_NAME]}: use letters, digits, '.', '-' and '_'")
    if len(name) > LONGEST_NAME:
        raise BadUsage(f"-{flag}: has {len(name)} characters, and {LONGEST_NAME} is the most")


def read_zookeeper_urls(values: dict[str, Any], *names: str) -> None:
    """Add to `values` what the zk:// flags of these names mean; from here on the flags are masked.

    Raises BadUsage.
    """
    credentials = _zookeeper_credentials(values["zk_authentication_file"])
    values["passwords_in_urls"] = []
    for name in names:
        key, url = name.replace("-", "_"), None
        if values[key].startswith("zk://"):
            try:
                url = ZooKeeperUrl.parse(values[key])
            except BadUsage as error:
                raise BadUsage(f"-{name}: {error}") from None
            if url.user:
                values["passwords_in_urls"].append(name)
            elif credentials is not None:
                url = url.with_credentials(*credentials)
            values[key] = str(url)
        values[f"{key}_zookeeper"] = url


def _zookeeper_credentials(path: str) -> tuple[str, str] | None:
    if not path:
        return None
    user, colon, password = read_secret("zk-authentication-file", path).partition(":")
    if not (user and colon and password):
        raise BadUsage(f"-zk-authentication-file={path}: must hold user:password")
    return user, password


def warnings_about_passwords(values: Mapping[str, Any]) -> list[str]:
    """One line for each zk:// flag that holds a password."""
    return [
        f"-{name} holds a password, which everybody on this machine may see in the list of "
        "processes: -zk-authentication-file keeps it out of there"
        for name in values.get("passwords_in_urls", ())
    ]


def credentials_of(values: Mapping[str, Any]) -> Credentials | None:
    """Who we are at the master; None for nobody in particular.  Raises BadUsage."""
    if not values["secret"]:
        return None
    return Credentials(principal=values["mesos_authentication_principal"], secret=values["secret"])


def detector_of(values: Mapping[str, Any], sessions: ZooKeeperSessions) -> MasterDetector:
    """Who knows the leading master; looks already.  Raises BadUsage."""
    url = values["master_zookeeper"]
    if url is None:
        return FixedMaster(values["master"])
    detector = ZooKeeperMaster(sessions.of(url), url.path)
    detector.start()
    return detector


def secret_of(values: Mapping[str, Any]) -> str:
    """The secret that proves the principal, "" if there is none.  Raises BadUsage."""
    path, principal = (
        values["mesos_authentication_secret_file"],
        values["mesos_authentication_principal"],
    )
    if not path:
        return ""
    if not principal:
        raise BadUsage("-mesos-authentication-secret-file needs -mesos-authentication-principal")
    return read_secret("mesos-authentication-secret-file", path)
