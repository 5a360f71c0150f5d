"""What is known of one backup: the small object beside the snapshot, whose presence says that the
snapshot is whole and was read back."""

from __future__ import annotations

import json

import cattrs
from attrs import field, frozen, validators

from etcdmesos.errors import EtcdMesosError

FORMAT = 1


class BadManifest(EtcdMesosError):
    """What lies there is no manifest that this version understands."""


@frozen(kw_only=True)
class Manifest:
    """One verified backup."""

    format: int = field(default=FORMAT, validator=validators.in_((FORMAT,)))
    name: str
    cluster: str
    """The cluster's name."""
    cluster_id: str
    generation: int
    member: str
    """Of whose etcd it is a snapshot."""
    taken_at: float
    """When it was begun, in seconds of Unix time."""
    revision: int
    """The newest that is certainly in it; there may be newer ones."""
    term: int
    """raft's, then."""
    etcd_version: str
    size: int
    """Of the snapshot, in bytes."""
    sha256: str
    """Of the whole snapshot, in hex."""
    tool: str
    """What took it, and its version."""
    survivor: bool = False
    """Of a member without quorum, before a reseed: acknowledged writes may be missing, and others
    be in it that never were."""


_converter = cattrs.Converter()


def encode(manifest: Manifest) -> bytes:
    """`manifest` as it is stored; people may read it, too."""
    return json.dumps(_converter.unstructure(manifest), sort_keys=True, indent=2).encode() + b"\n"


def decode(data: bytes, cluster: str, name: str) -> Manifest:
    """The manifest in `data` of that cluster's backup `name`.  Raises BadManifest."""
    try:
        manifest = _converter.structure(json.loads(data), Manifest)
    except Exception as error:
        # cattrs raises an ExceptionGroup of anything; whatever it is, nobody can go by it.
        raise BadManifest(f"the manifest of {name} cannot be understood") from error
    if (manifest.cluster, manifest.name) != (cluster, name):
        raise BadManifest(f"the manifest of {name} says it is {manifest.cluster}/{manifest.name}")
    return manifest
