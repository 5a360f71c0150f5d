"""What is heard of backups, taken in: from the target, from executors, from the operator."""

from __future__ import annotations

from attrs import evolve

from etcdmesos import orders
from etcdmesos.backups.names import origin_in, origin_of
from etcdmesos.backups.retention import Catalogue
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.backups.settings import BackupSettings
from etcdmesos.cluster.backups.taking import TIDY_AGAIN, fail, with_run
from etcdmesos.cluster.backups.view import Run, Stage
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.observe.operator import accepted, not_now, refused
from etcdmesos.orders import BackupReport, BadMessage, Sending

# The target


def take_catalogue(draft: Draft) -> Draft:
    """What lies there, and from it when the next backup is due, unless one has failed since."""
    settings = draft.model.settings.backups
    if settings is None:
        return draft
    catalogue, view = event_of(draft, e.CatalogueRead).catalogue, draft.model.backups
    due_at = view.due_at
    if not view.failures and view.run is None:
        due_at = _next(draft, settings, catalogue)
    return draft.having(backups=evolve(view, catalogue=catalogue, reading=False, due_at=due_at))


def _next(draft: Draft, settings: BackupSettings, catalogue: Catalogue) -> float:
    """One interval after the newest of this framework's cluster; at once when there is none, as
    after a reseed.  Clusters that started together do not back up together."""
    origin = origin_of(draft.model.record.framework_id)
    ages = [
        catalogue.read_at - manifest.taken_at
        for manifest in catalogue.backups
        if origin_in(manifest.name) == origin
        and manifest.generation == draft.model.record.generation
        and not manifest.survivor
    ]
    if not ages:
        return draft.now
    part = int(origin, 16) / 0x100000000 * settings.jitter
    # A clock that was put back must not put backups off for long.
    age = max(0.0, min(ages))
    return draft.now + max(0.0, settings.interval * (1 - part) - age)


def take_way_in(draft: Draft) -> Draft:
    """The target gave a way in; from here on the executor is told."""
    event, run = event_of(draft, e.BackupOpened), draft.model.backups.run
    if run is None or run.stage is not Stage.OPENING:
        return draft.asking(c.AbandonBackup(name=event.name, way=event.way))
    view = evolve(draft.model.backups, opened_at=draft.now)
    return with_run(
        draft.having(backups=view),
        evolve(
            run,
            stage=Stage.SENDING,
            name=event.name,
            taken_at=event.taken_at,
            way=event.way,
            order_at=draft.now,
            heard_at=draft.now,
        ),
    )


def take_counted(draft: Draft) -> Draft:
    """A backup counts; what lies there is read again, and then the old ones may go."""
    manifest, view = event_of(draft, e.BackupCounted).manifest, draft.model.backups
    run = view.run if view.run is not None and view.run.name != manifest.name else None
    counted = evolve(
        view,
        run=run,
        failures=0,
        failure="",
        last=manifest,
        taken=view.taken + 1,
        look_at=draft.now,
    )
    settings = draft.model.settings.backups
    due_at = draft.now + settings.interval if settings else view.due_at
    if manifest.survivor:
        due_at = draft.now  # what has grown from it has no backup of its own yet
    return draft.having(backups=evolve(counted, due_at=due_at))


def settle(draft: Draft, command: c.Command) -> Draft:
    """How something that was asked of the target ended, other than in an observation."""
    view, done = draft.model.backups, isinstance(draft.event, e.CommandDone)
    reason = getattr(draft.event, "reason", "")
    match command:
        case c.ReadCatalogue():
            settings = draft.model.settings.backups
            wait = settings.again_first if settings else TIDY_AGAIN
            # Without knowing what lies there nothing is sent: that is a failing backup, too.
            failed = evolve(view, reading=False, look_at=draft.now + wait)
            if view.catalogue is None:
                failed = evolve(failed, failures=view.failures + 1, failure=reason)
            return draft.having(backups=failed)
        case c.OpenBackup() if view.run is not None and view.run.stage is Stage.OPENING:
            return fail(draft, reason)
        case c.CountBackup(manifest=manifest) if _is(view.run, manifest.name):
            return fail(draft, reason)
        case c.DeleteBackup():
            settled = evolve(
                view,
                deleting="",
                tidying="" if done else reason,
                delete_at=draft.now + (0.0 if done else TIDY_AGAIN),
                look_at=draft.now if done else view.look_at,
                reading=view.reading,
                catalogue=_less(view.catalogue, command.name) if done else view.catalogue,
            )
            return draft.having(backups=settled)
        case _:
            return draft


def _is(run: Run | None, name: str) -> bool:
    return run is not None and run.name == name


def _less(catalogue: Catalogue | None, name: str) -> Catalogue | None:
    if catalogue is None:
        return None
    return evolve(
        catalogue,
        backups=tuple(m for m in catalogue.backups if m.name != name),
        unfinished=tuple(u for u in catalogue.unfinished if u[0] != name),
    )


# Executors


def take_backup_report(draft: Draft) -> Draft:
    """What an executor says of the backup under way; of any other it does not matter any more."""
    event, run = event_of(draft, e.ExecutorSaid), draft.model.backups.run
    if run is None or run.stage is not Stage.SENDING:
        return draft
    try:
        report = orders.decode(event.data)
    except BadMessage:
        return draft
    if not isinstance(report, BackupReport) or report.task_id != run.task_id:
        return draft
    if report.epoch > draft.model.record.epoch:
        return fail(draft, f"{run.member} obeys a scheduler of epoch {report.epoch}")
    if report.name != run.name or _is_older(report, run.report):
        return draft
    settings = draft.model.settings.backups
    assert settings is not None
    ask_at = draft.now + 2 * settings.order_again
    return with_run(draft, evolve(run, report=report, heard_at=draft.now, order_at=ask_at))


def _is_older(report: BackupReport, than: BackupReport | None) -> bool:
    """Whether it was sent before the one that is known: messages may overtake each other."""
    if than is None:
        return False
    return than.sending is not Sending.UNDER_WAY or report.sent < than.sent


# The operator


def take_backup_asked(draft: Draft) -> Draft:
    """Take a backup now."""
    settings, view = draft.model.settings.backups, draft.model.backups
    if settings is None:
        return refused(draft, "no backups are taken here: -backup-url says where to")
    if refusal := not_now(draft):
        return refused(draft, refusal)
    if view.run is not None:
        return accepted(draft, f"a backup is under way, of {view.run.member}")
    asked = evolve(view, asked=True, look_at=min(view.look_at, draft.now))
    return accepted(draft.having(backups=asked), "takes a backup as soon as a member can give one")
