"""Simulated etcd: raft and everything of etcd that a controller could be fooled by.

`world.EtcdWorld` starts processes, `client.EtcdClient` asks them, `data_directory` is what they
leave on disk and what is done with that offline (snapshot files, restore).  The contract tests hold
it to the real etcd, both versions.
"""

from etcdmesos.simulation.etcd.client import Alarm, EtcdClient
from etcdmesos.simulation.etcd.data_directory import (
    DataDirectory,
    OfflineFailure,
    Snapshot,
    restore,
)
from etcdmesos.simulation.etcd.options import EtcdOptions
from etcdmesos.simulation.etcd.process import EtcdProcess
from etcdmesos.simulation.etcd.surroundings import Role, Timing
from etcdmesos.simulation.etcd.versions import Version
from etcdmesos.simulation.etcd.world import EtcdWorld

__all__ = [
    "Alarm",
    "DataDirectory",
    "EtcdClient",
    "EtcdOptions",
    "EtcdProcess",
    "EtcdWorld",
    "OfflineFailure",
    "Role",
    "Snapshot",
    "Timing",
    "Version",
    "restore",
]
