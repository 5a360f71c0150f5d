"""The scheduler's flags, and what they mean to the parts it is made of.  Starts nothing."""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import fields

from etcdmesos.cluster import constraints
from etcdmesos.cluster.constraints import Constraint
from etcdmesos.cluster.quorum import tolerated
from etcdmesos.cluster.settings import Artifacts, Errand, ReseedPolicy, Settings
from etcdmesos.errors import BadUsage

from . import backup_flags, master_flags
from . import flags as f
from .admin_token import read_token, readable_by_all

PROGRAM = "etcd-mesos-scheduler"
WEEK = 7 * 24 * 3600.0
MEBIBYTE = 1024 * 1024
LARGEST_CLUSTER = 7
"""etcd's FAQ: "an etcd cluster probably should have no more than seven nodes"."""
LARGEST_QUOTA = 2 * 1024 * MEBIBYTE
"""etcd's own default quota (etcd.io, System limits)."""


def _policy(text: str) -> str:
    """`text`, if it names a policy.  Raises ValueError."""
    if text not in (known := [policy.value for policy in ReseedPolicy]):
        raise ValueError(f"'{text}' is neither {known[0]} nor {known[1]}")
    return text


def _constraints(text: str) -> str:
    """`text`, if it holds placement constraints.  Raises ValueError."""
    constraints.parse(text)
    return text


FLAGS = (
    master_flags.MASTER,
    master_flags.CLUSTER_NAME,
    master_flags.FRAMEWORK_NAME,
    f.Flag("cluster-size", f.whole_number, 3, "number of members, 1 to 7, best odd"),
    f.Flag("executor-bin", f.text, "", "path of the executor, by default beside this"),
    f.Flag("etcd-bin", f.text, "", "path of etcd, by default beside this program, then on PATH"),
    f.Flag("etcdctl-bin", f.text, "", "path of etcdctl, by default beside etcd, or on PATH"),
    f.Flag("etcdutl-bin", f.text, "", "path of etcdutl, by default beside etcd, or on PATH"),
    f.Flag("etcd-option", f.text, (), "NAME=VALUE, handed to etcd as --NAME=VALUE", True),
    f.Flag("zk-framework-persist", f.text, "", "where the record is kept: "
           "zk://host:port,host:port/path, or file:///path for one machine"),
    master_flags.ZK_AUTHENTICATION_FILE,
    f.Flag("zk-session-timeout-seconds", f.number, 10.0, "after which time another scheduler may "
           "take over from one that ZooKeeper does not hear"),
    f.Flag("log_dir", f.text, "", "directory for log files, beside the log on stderr"),
    f.Flag("admin-port", f.whole_number, 23400, "port of the admin HTTP interface, 0 for any"),
    f.Flag("admin-token-file", f.text, "", "file with the token that changes over the admin "
           "interface need; without it nothing can be changed there"),
    f.Flag("artifact-port", f.whole_number, 12300, "port agents fetch programs from, 0 for any"),
    f.Flag("address", f.text, "", "address to listen on and to give to agents, by default the "
           "one that leads to the master"),
    f.Flag("single-instance-per-slave", f.boolean, True, "never two members on one agent"),
    f.Flag("constraints", _constraints, (), "which agents may run members, in Marathon's words: "
           "hostname:LIKE:node-.*,@zone:GROUP_BY:3", True, True),
    f.Flag("sandbox-cpu-limit", f.number, 1.0, "cpus of a member"),
    f.Flag("sandbox-mem-limit", f.number, 2048.0, "memory of a member in MiB"),
    f.Flag("sandbox-disk-limit", f.number, 4096.0, "disk of a member in MiB; etcd's quota is at "
           "most a quarter of it"),
    f.Flag("auto-reseed", f.boolean, True, "grow a new cluster from the best survivor when quorum "
           "is lost; otherwise only when asked: etcd-mesos-ctl reseed"),
    f.Flag("reseed-timeout", f.number, 240.0, "seconds without quorum before that, unless the dead "
           "prove that no other cluster can serve"),
    f.Flag("reseed-policy", _policy, "timeout", "timeout: also while members that Mesos has given "
           "up may serve out of reach; proven: then only when asked"),
    *backup_flags.FLAGS,
    f.Flag("uninstall", f.text, "", "end the cluster of this name: its tasks, its framework and "
           "its record; then exit"),
    f.Flag("forget-cluster", f.text, "", "put the record of the cluster of this name aside, whose "
           "framework Mesos has removed; then exit"),
    f.Flag("rebuild-record", f.boolean, False, "make a lost record anew from the cluster's tasks "
           "and etcd's member list"),
    f.Flag("failover-timeout-seconds", f.number, WEEK, "how long Mesos keeps the cluster "
           "running without a scheduler"),
    f.Flag("framework-weburi", f.text, "", "link shown by Mesos, by default the admin interface"),
    f.Flag("mesos-user", f.text, "", "user that tasks run as, by default the present one"),
    f.Flag("mesos-role", f.text, "*", "role to receive offers for"),
    master_flags.PRINCIPAL,
    master_flags.SECRET_FILE,
    f.Flag("mesos-offer-refuse-seconds", f.number, 15.0, "how long a declined offer is unwanted"),
    f.Flag("probe-interval-seconds", f.number, 2.0, "between two health checks of a member"),
    f.Flag("probe-timeout-seconds", f.number, 2.0, "how long a member may take to answer one"),
    f.Flag("member-timeout", f.number, 60.0, "seconds after which a member that is out of reach, "
           "or answers nothing, is replaced"),
)  # fmt: skip

LEAST_SECONDS = {
    "zk-session-timeout-seconds": 1.0,
    "probe-interval-seconds": 0.1,
    "probe-timeout-seconds": 0.1,
    # Less, and an election would look like a dead member.
    "member-timeout": 5.0,
    "reseed-timeout": 5.0,
}

LEAST = (
    ("sandbox-cpu-limit", fields(Settings).executor_cpus.default),
    ("sandbox-mem-limit", fields(Settings).executor_memory.default),
    ("sandbox-disk-limit", 0.0),
)
"""Limits must leave something for etcd beside its executor."""

OURS = re.compile(
    r"name|data-dir|wal-dir|initial-.*|listen-.*|advertise-.*|discovery.*|force-new-cluster|proxy.*"
    r"|config-file|cert-file|key-file|client-cert-auth|trusted-ca-file|auto-tls|peer-.*"
    r"|experimental-peer-.*|strict-reconfig-check|enable-v2|log-outputs?|logger"
)
"""etcd options that the framework sets or relies on: identity, URLs, data directory, cluster."""


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """The flags' values by key, with every mistake that can be seen without starting anything.

    Raises BadUsage.
    """
    values = f.parse(PROGRAM, "Runs one etcd cluster on Mesos.", FLAGS, arguments, environment)
    master_flags.read_names(values)
    master_flags.read_zookeeper_urls(values, "master", "zk-framework-persist")
    size = values["cluster_size"]
    if not 1 <= size <= LARGEST_CLUSTER:
        raise BadUsage(f"-cluster-size={size}: must be 1 to {LARGEST_CLUSTER}")
    for name, least in LEAST:
        if values[name.replace("-", "_")] <= least:
            raise BadUsage(f"-{name} must be more than {least:g}")
    for name in ("failover-timeout-seconds", "mesos-offer-refuse-seconds"):
        if values[name.replace("-", "_")] < 0:
            raise BadUsage(f"-{name} must not be negative")
    for name, least in LEAST_SECONDS.items():
        if values[name.replace("-", "_")] < least:
            raise BadUsage(f"-{name} must be at least {least:g}")
    for name in ("admin-port", "artifact-port"):
        if not 0 <= values[name.replace("-", "_")] <= 65535:
            raise BadUsage(f"-{name} must be 0 to 65535")
    web = values["framework_weburi"]
    if web and not web.startswith(("http://", "https://")):
        raise BadUsage(f"-framework-weburi={web[:200]}: must begin with http:// or https://")
    _errand(values)
    values["mesos_user"] = values["mesos_user"] or getpass.getuser()
    values["secret"] = master_flags.secret_of(values)
    token_file = values["admin_token_file"]
    values["admin_token"] = read_token("admin-token-file", token_file) if token_file else ""
    backup_flags.settings(values)
    backup_flags.restore_settings(values)
    return values


def _errand(values: Mapping[str, Any]) -> Errand:
    """What is to be done.  Raises BadUsage when it is several things, or to another cluster."""
    name = values["cluster_name"]
    for flag in ("uninstall", "forget-cluster"):
        named = values[flag.replace("-", "_")]
        if named and named != name:
            raise BadUsage(f"-{flag}={named}, but -cluster-name={name}: both must name the cluster")
    asked = {
        Errand.UNINSTALL: values["uninstall"],
        Errand.FORGET: values["forget_cluster"],
        Errand.REBUILD: values["rebuild_record"],
    }
    errands = [errand for errand, given in asked.items() if given]
    if len(errands) > 1:
        raise BadUsage("-uninstall, -forget-cluster and -rebuild-record: give one of them")
    return errands[0] if errands else Errand.RUN


def warnings(values: Mapping[str, Any]) -> list[str]:
    """What is allowed and yet should be known, one line each."""
    size, lines = values["cluster_size"], []
    if size % 2 == 0:
        lines.append(
            f"-cluster-size={size} is even: it survives {tolerated(size)} failures, as "
            f"{size - 1} would, and has one member more that can fail"
        )
    lines += master_flags.warnings_about_passwords(values)
    token_file = values["admin_token_file"]
    if token_file and readable_by_all(token_file):
        lines.append(f"everybody on this machine can read the token: chmod 600 {token_file}")
    if not values["zk_framework_persist"]:
        lines.append(
            "no -zk-framework-persist: the record is in memory only, and a restart of this "
            "scheduler orphans its tasks"
        )
    return lines


def settings(values: Mapping[str, Any], artifacts: Artifacts) -> Settings:
    """What the controller is told.  Raises BadUsage."""
    options, quota = etcd_options(values)
    return Settings(
        cluster_name=values["cluster_name"],
        framework_name=values["framework_name"],
        cluster_size=values["cluster_size"],
        artifacts=artifacts,
        errand=_errand(values),
        elected=values["zk_framework_persist_zookeeper"] is not None,
        etcd_options=options,
        single_instance_per_agent=values["single_instance_per_slave"],
        constraints=constraints_of(values),
        cpus=values["sandbox_cpu_limit"],
        memory=values["sandbox_mem_limit"],
        disk=values["sandbox_disk_limit"],
        quota_bytes=quota,
        refuse=values["mesos_offer_refuse_seconds"],
        probe_interval=values["probe_interval_seconds"],
        member_timeout=values["member_timeout"],
        auto_reseed=values["auto_reseed"],
        reseed_timeout=values["reseed_timeout"],
        reseed_policy=ReseedPolicy(values["reseed_policy"]),
        wall_clock=values.get("wall_clock", 0.0),
        backups=backup_flags.settings(values),
        restore=backup_flags.restore_settings(values),
    )


def constraints_of(values: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """The placement constraints, from all places where some were given."""
    return tuple(one for text in values["constraints"] for one in constraints.parse(text))


def etcd_options(values: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """(options for etcd, its quota in bytes).  Raises BadUsage."""
    most = int(values["sandbox_disk_limit"] * MEBIBYTE / 4)
    if most < 1:
        raise BadUsage(f"-sandbox-disk-limit={values['sandbox_disk_limit']:g} leaves etcd no room")
    quota = min(LARGEST_QUOTA, most)
    options: list[str] = []
    for option in values["etcd_option"]:
        name, equals, value = option.lstrip("-").partition("=")
        if not equals or not name:
            raise BadUsage(f"-etcd-option={option}: must be NAME=VALUE")
        if OURS.fullmatch(name):
            raise BadUsage(f"-etcd-option={option}: {name} is set by the framework")
        if name == "quota-backend-bytes":
            quota = _quota(value, most)
        else:
            options.append(f"--{name}={value}")
    return tuple(options), quota


def _quota(value: str, most: int) -> int:
    if not value.isdecimal() or not 0 < int(value) <= most:
        raise BadUsage(
            f"-etcd-option=quota-backend-bytes={value}: must be 1 to {most}, a quarter of "
            "-sandbox-disk-limit: reseeding needs room beside the data"
        )
    return int(value)
