"""The stage's directives for backups: the target and an executor answer."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.backups.retention import Keep
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.backups.settings import BackupSettings
from etcdmesos.cluster.backups.view import Run
from etcdmesos.cluster.model import Model
from etcdmesos.orders import Sending, encode
from etcdmesos.step import Command, Event
from tests.cluster import backed_up


def backup_settings(options: dict[str, str]) -> BackupSettings | None:
    """`backups=yes` and, if anything is to be deleted, `keep=2`; both are taken out."""
    keep = Keep.parse(options.pop("keep", "48"))
    if not options.pop("backups", ""):
        return None
    return BackupSettings(target="s3://bucket/etcd", tool="test", jitter=0.0, keep=keep)


class BackupDirectives:
    """What a Stage is given in addition."""

    model: Model | None
    asked: list[Command]

    def feed(self, event: Event, said: str = "", quiet: bool = False) -> None:
        raise NotImplementedError

    def do_catalogue(self, *ages: str) -> None:
        """The target is read: these backups lie there, each so many seconds old."""
        found = backed_up.catalogue(ages=tuple(float(age) for age in ages))
        self.feed(e.CatalogueRead(catalogue=found), " ".join(ages))

    def do_backup_now(self) -> None:
        """The operator asks for one."""
        self.feed(e.BackupAsked(number=1))

    def do_backup(self, what: str, *words: str) -> None:
        """`backup opened` by the target; `backup moved 2`, `sent`, `failed WHY` by the executor
        (`revision=3` to have less); `counted` by the target."""
        name = backed_up.name_at(0)
        if what == "opened":
            opened = e.BackupOpened(name=name, taken_at=backed_up.READ_AT, way=backed_up.WAY)
            self.feed(opened)
        elif what == "counted":
            counts = [x for x in self.asked if isinstance(x, c.CountBackup)]
            self.feed(e.BackupCounted(manifest=counts[-1].manifest))
        else:
            self._report(what, *words)

    def _report(self, what: str, *words: str) -> None:
        assert self.model is not None
        run = self.model.backups.run
        assert isinstance(run, Run)
        epoch = self.model.record.epoch
        sending = {"sent": Sending.SENT, "failed": Sending.FAILED}.get(what, Sending.UNDER_WAY)
        said = backed_up.report(backed_up.name_at(0), sending, task_id=run.task_id, epoch=epoch)
        if what == "moved":
            said = evolve(said, sent=int(words[0]))
        elif what == "failed":
            said = evolve(said, reason=" ".join(words))
        elif words:
            said = evolve(said, revision=int(words[0].removeprefix("revision=")))
        event = e.ExecutorSaid(agent_id="a", executor_id=run.task_id, data=encode(said))
        self.feed(event, f"{run.member} {what} {' '.join(words)}".rstrip())
