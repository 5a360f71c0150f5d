"""The proxy's flags, and what they mean.  Starts nothing but `etcd --version` and `--help`."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from etcdmesos.adapters.scheduler_word import admin_address
from etcdmesos.errors import BadUsage
from etcdmesos.proxy.fronts import AUTO_SYNC, Front, Kind

from . import flags as f
from . import master_flags
from .programs import help_of

PROGRAM = "etcd-mesos-proxy"
ANY_ADDRESS = ("0.0.0.0", "::", "[::]")  # noqa: S104 - to know it, not to listen there
V2_PROXY_UNTIL = (3, 6)

FLAGS = (
    master_flags.MASTER,
    master_flags.CLUSTER_NAME,
    master_flags.FRAMEWORK_NAME,
    f.Flag("admin-urls", f.text, "", "http://host:23400 of schedulers, comma separated, to ask "
           "beside those that the master names"),
    f.Flag("listen-client-urls", f.text, "http://127.0.0.1:2379", "where clients connect to"),
    f.Flag("front", f.text, Kind.GRPC_PROXY.value, "what takes their connections: "
           f"{', '.join(kind.value for kind in Kind)}"),
    f.Flag("etcd-bin", f.text, "", "path of etcd, by default beside this program, then on PATH"),
    f.Flag("data-dir", f.text, "", "folder for what the front writes, its log too; by default a "
           "temporary one"),
    f.Flag("log_dir", f.text, "", "directory for log files, beside the log on stderr"),
    master_flags.ZK_AUTHENTICATION_FILE,
    f.Flag("zk-session-timeout-seconds", f.number, 10.0, "after which time without a word from us "
           "ZooKeeper gives us up"),
    master_flags.PRINCIPAL,
    master_flags.SECRET_FILE,
)  # fmt: skip


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """The flags' values by key, with every mistake that can be seen without starting anything.

    Raises BadUsage.
    """
    about = "Listens where clients look for etcd, and follows the cluster on Mesos."
    values = f.parse(PROGRAM, about, FLAGS, arguments, environment)
    master_flags.read_names(values)
    master_flags.read_zookeeper_urls(values, "master")
    values["secret"] = master_flags.secret_of(values)
    values["listen"] = _listen(values["listen_client_urls"])
    values["admin_urls"] = _admin_urls(values["admin_urls"])
    if values["zk_session_timeout_seconds"] < 1:
        raise BadUsage("-zk-session-timeout-seconds must be at least 1")
    try:
        values["front"] = Kind(values["front"])
    except ValueError:
        known = ", ".join(kind.value for kind in Kind)
        raise BadUsage(f"-front={values['front']}: must be one of {known}") from None
    return values


def _listen(urls: str) -> tuple[str, int]:
    """Host and port of the one URL.  Raises BadUsage."""
    if "," in urls:
        raise BadUsage(f"-listen-client-urls={urls}: etcd's fronts listen at one address")
    form = f"-listen-client-urls={urls}: must be http://host:port"
    try:
        parts = urlsplit(urls)
        port = parts.port
    except ValueError:
        raise BadUsage(form) from None
    if parts.scheme != "http" or not parts.hostname or not port or parts.path not in ("", "/"):
        raise BadUsage(form)
    return parts.hostname, port


def _admin_urls(text: str) -> tuple[str, ...]:
    urls = tuple(url.strip() for url in text.split(",") if url.strip())
    for url in urls:
        try:
            admin_address(url)
        except BadUsage as error:
            raise BadUsage(f"-admin-urls: {error}") from None
    return urls


def front_of(values: Mapping[str, Any], etcd: Path, version: tuple[int, ...]) -> Front:
    """The front asked for, as this etcd can be it.  Raises BadUsage when it cannot."""
    kind, (host, port) = values["front"], values["listen"]
    if kind is Kind.V2_PROXY and version >= V2_PROXY_UNTIL:
        raise BadUsage(f"-front={kind.value}: etcd has none since 3.6; use {Kind.GATEWAY.value}")
    follows = kind is Kind.V2_PROXY or (kind is Kind.GRPC_PROXY and _syncs_by_itself(etcd))
    reached = socket.gethostname() if host in ANY_ADDRESS else host
    return Front(
        kind=kind,
        follows=follows,
        listen=_address(host, port),
        advertise=_address(reached, port),
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _syncs_by_itself(etcd: Path) -> bool:
    try:
        return AUTO_SYNC in help_of(etcd, "grpc-proxy", "start")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadUsage(f"-etcd-bin={etcd}: cannot be run: {error}") from None
