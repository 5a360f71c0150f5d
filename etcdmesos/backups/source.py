"""What a cluster is to be restored from, as the operator says it, and which backup that is.

Pure; where backups lie, and how they are read, is not known here.
"""

from __future__ import annotations

from attrs import frozen

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import MANIFEST, SNAPSHOT, is_name, origin_in
from etcdmesos.backups.retention import Catalogue
from etcdmesos.errors import BadUsage, EtcdMesosError

LATEST = "latest"
_FILE = "file://"


@frozen(kw_only=True)
class Source:
    """At most one is set; none is the newest backup that counts."""

    name: str = ""
    """Of a backup."""
    path: str = ""
    """A snapshot, or a member's data directory, on the host of the scheduler."""

    def __str__(self) -> str:
        return self.name or (_FILE + self.path if self.path else LATEST)

    @classmethod
    def parse(cls, text: str, target: str, cluster: str) -> Source:
        """What `latest`, a backup's name, its address or `file:///path` says.

        `target` is where the backups of `cluster` lie, "" when there are none.  Raises BadUsage.
        """
        stem = text.removesuffix(MANIFEST).removesuffix(SNAPSHOT)
        folder, _, last = stem.rpartition("/")
        ours = _without_user(f"{target}/{cluster}")
        if is_name(last) and target and _without_user(folder) in ("", ours):
            return cls(name=last)
        if text.startswith(_FILE + "/"):
            return cls(path=text.removeprefix(_FILE))
        if not target:
            raise BadUsage("is no file:///path, and without -backup-url there are no others")
        if text == LATEST:
            return cls()
        where = f"{target}/{cluster}"
        raise BadUsage(f"is neither {LATEST} nor a backup in {where} nor file:///path")


def _without_user(address: str) -> str:
    """As whom a place is reached makes it no other place."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + mark + host.rpartition("@")[2] + slash + path


class NoSuchBackup(EtcdMesosError):
    """Nothing is there that could be restored."""


class Unsound(EtcdMesosError):
    """The backup that would be taken cannot be restored from, and no other one was allowed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


NO_WHOLE = "is damaged: its manifest cannot be read, or its snapshot is gone"


def choose(
    catalogue: Catalogue, source: Source, origin: str, refused: tuple[str, ...] = ()
) -> Manifest:
    """The backup that `source` means: of the framework `origin` alone, if that is not "".

    Those in `refused` are passed over, and so is a survivor's that has less than the newest that a
    quorum vouched for.  Nothing else is: the newest one is it, whatever its state.  Raises
    NoSuchBackup, and Unsound when nobody needs to read that one to see that it is.
    """
    counted = {manifest.name: manifest for manifest in catalogue.backups}
    names = sorted({*counted, *catalogue.broken}, reverse=True)
    if source.name:
        found = [name for name in names if name == source.name]
    else:
        found = [n for n in names if origin in ("", origin_in(n)) and n not in refused]
    if not found:
        raise NoSuchBackup(_nothing(names, source, refused))
    if found[0] not in counted:
        raise Unsound(found[0], NO_WHOLE)
    best = counted[found[0]]
    vouched = (counted[name] for name in found if name in counted)
    known = next((one for one in vouched if not one.survivor), best)
    return known if known.revision > best.revision and best.survivor else best


def _nothing(names: list[str], source: Source, refused: tuple[str, ...]) -> str:
    if source.name:
        return f"there is no backup {source.name}"
    if refused:
        return f"there is no backup before {refused[-1]}"
    if names:
        return f"there is no backup of this framework; the newest of another one is {names[0]}"
    return "there is no backup"
