"""The stage's directives for restoring: the backup's reader and the member's executor answer."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.backups.source import Source
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.restore.dry_run import dry_run
from etcdmesos.cluster.restore.episode import Point
from etcdmesos.cluster.restore.settings import RestoreSettings
from etcdmesos.orders import Report, SavedSnapshot, Standing, encode
from etcdmesos.step import Command, Event
from tests.cluster import backed_up, make
from tests.cluster.stage_etcd import Etcd

TARGET = "s3://bucket/etcd"


def restore_settings(options: dict[str, str]) -> RestoreSettings:
    """`restore-from=latest`, `restore-policy=auto` and `older=yes`; all are taken out."""
    text = options.pop("restore-from", "")
    return RestoreSettings(
        source=Source.parse(text, TARGET, "c") if text else None,
        automatic=options.pop("restore-policy", "") == "auto",
        older=bool(options.pop("older", "")),
    )


class RestoreDirectives:
    """What a Stage is given in addition."""

    model: Model | None
    asked: list[Command]
    etcd: Etcd | None
    now: float

    def feed(self, event: Event, said: str = "", quiet: bool = False) -> None:
        raise NotImplementedError

    def say(self, line: str) -> None:
        raise NotImplementedError

    def _check(self) -> c.CheckBackup:
        return next(x for x in reversed(self.asked) if isinstance(x, c.CheckBackup))

    def do_restore(self, source: str = "latest", older: str = "") -> None:
        """Asked over the admin interface."""
        self.feed(e.RestoreAsked(number=1, source=source, older=bool(older)), source)

    def do_restore_dry_run(self, source: str = "latest") -> None:
        assert self.model is not None
        for line in dry_run(self.model, source)["lines"]:
            self.say(f"dry run: {line}")

    def do_checked(self, age: str = "0", revision: str = "9") -> None:
        """The backup of that age was read back, and is sound."""
        name, taken_at = backed_up.name_at(float(age)), backed_up.READ_AT - float(age)
        point = Point(name=name, revision=int(revision), taken_at=taken_at, size=3, sha256="ab")
        self.feed(e.BackupChecked(source=self._check().source, point=point), name)

    def do_damaged(self, age: str = "0") -> None:
        """The backup of that age was read back, and is not what it should be."""
        name = backed_up.name_at(float(age))
        reason = "is damaged: it does not end in its own hash"
        event = e.BackupDamaged(source=self._check().source, name=name, reason=reason)
        self.feed(event, name)

    def do_lent(self, sha256: str = "") -> None:
        """There is an address; of a data directory it may be another snapshot than before."""
        lending = next(x for x in reversed(self.asked) if isinstance(x, c.LendBackup))
        point = evolve(lending.point, sha256=sha256) if sha256 else lending.point
        self.feed(e.BackupLent(point=point, url="http://planted-key"))

    def do_fetched(self, name: str, epoch: str = "") -> None:
        """The member's executor says that it has the snapshot."""
        assert self.model is not None
        record = self.model.record
        assert record.restore is not None
        assert record.restore.point is not None
        point, task = record.restore.point, f"{name}-1"
        taken = SavedSnapshot(
            sha256=point.sha256, size=3, revision=point.revision, applied_index=0, path="p"
        )
        report = Report(
            task_id=task,
            epoch=int(epoch.removeprefix("epoch=") or record.epoch),
            generation=record.restore.generation,
            standing=Standing.HELD,
            snapshot=taken,
        )
        said = e.ExecutorSaid(agent_id="a", executor_id=task, data=encode(report))
        self.feed(said, f"{name} fetched")

    def do_restored(self, name: str) -> None:
        """etcd of this member serves as a new cluster, of itself alone."""
        assert self.model is not None
        member = self.model.record.member(name)
        assert member is not None
        entry = evolve(make.listed(member), id=f"seed-{name}")
        self.etcd = Etcd(up=(name,), cluster="c2", seed=name, members=(entry,))
