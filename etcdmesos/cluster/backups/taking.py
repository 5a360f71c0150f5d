"""The plan for backups: one at a time, when it is due, as long as the cluster serves.

A failing backup is told and tried again, ever more seldom; it never keeps anything else from being
done, and nothing here changes the cluster.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.backoff import doubling
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import origin_of
from etcdmesos.backups.retention import expired
from etcdmesos.cluster.backups.choosing import chosen, size_of
from etcdmesos.cluster.backups.settings import BackupSettings
from etcdmesos.cluster.backups.view import Run, Stage, Survivor
from etcdmesos.cluster.commands import (
    AbandonBackup,
    CountBackup,
    DeleteBackup,
    OpenBackup,
    ReadCatalogue,
)
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.messages import message
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.revisions import published
from etcdmesos.orders import Sending

NAMES_APART = 1.0
"""Seconds between two backups: their names hold the time to the second, and an executor goes by
the name."""
TIDY_AGAIN = 600.0
"""Seconds; after a deletion that failed."""


def plan_backups(draft: Draft) -> Draft:
    """Whatever is due: what lies there, a backup's next step, the next backup, an old one's end."""
    settings = draft.model.settings.backups
    if settings is None:
        return draft
    draft = _plan_calling_off(_plan_look(draft, settings))
    if draft.model.backups.run is not None:
        return _plan_run(draft, settings)
    draft = _plan_beginning(draft, settings)
    return draft if draft.model.backups.run is not None else _plan_tidying(draft, settings)


def look_at_backups(draft: Draft) -> Draft:
    """Only find out what there is, for the operator: nothing is sent, and nothing deleted."""
    settings = draft.model.settings.backups
    if settings is None:
        return draft
    if draft.model.backups.run is not None:
        draft = fail(draft, "every member is gone")
    return _plan_look(draft, settings)


def _plan_look(draft: Draft, settings: BackupSettings) -> Draft:
    view = draft.model.backups
    if view.reading:
        return draft
    if draft.now < view.look_at:
        return draft.waking(view.look_at)
    view = evolve(view, reading=True, look_at=draft.now + settings.look_again)
    return draft.having(backups=view).asking(ReadCatalogue())


def _plan_calling_off(draft: Draft) -> Draft:
    """Tell the executor of a backup that has failed; once, as it ends by itself, too."""
    model = draft.model
    if model.backups.called_off is None:
        return draft
    task_id, name = model.backups.called_off
    draft = draft.having(backups=evolve(model.backups, called_off=None))
    member = model.record.owner(task_id)
    if member is None or model.known_dead(task_id):
        return draft
    order = orders.CancelBackup(task_id=task_id, epoch=model.record.epoch, name=name)
    return draft.asking(message(member, order))


# The next one


def _plan_beginning(draft: Draft, settings: BackupSettings) -> Draft:
    """Ask for a way in once a backup is due and somebody can give it."""
    model, view = draft.model, draft.model.backups
    if view.catalogue is None or view.deleting:
        return draft
    if view.survivor is None and not view.asked and draft.now < view.due_at:
        return draft.waking(view.due_at)
    if view.opened_at is not None and draft.now < view.opened_at + NAMES_APART:
        return draft.waking(view.opened_at + NAMES_APART)
    if view.survivor is not None:
        return _begin_with(draft, view.survivor, settings)
    member = chosen(model, assess(model, draft.now))
    if member is None:
        return draft  # a probe will tell when there is one
    size = size_of(model, member)
    run = Run(
        member=member.name,
        task_id=member.tasks[-1].id,
        floor=published(model),
        ends_at=draft.now + settings.limit_of(size),
    )
    return _open(draft.having(backups=evolve(view, asked=False)), run, size)


def _begin_with(draft: Draft, survivor: Survivor, settings: BackupSettings) -> Draft:
    """Once, whether the cluster serves or not: the snapshot is a file by now."""
    draft = draft.having(backups=evolve(draft.model.backups, survivor=None))
    run = Run(
        member=survivor.member,
        task_id=survivor.task_id,
        floor=survivor.kept.revision,
        survivor=survivor,
        ends_at=draft.now + settings.limit_of(survivor.size),
    )
    return _open(draft, run, survivor.size)


def _open(draft: Draft, run: Run, size: int) -> Draft:
    record = draft.model.record
    order = OpenBackup(
        origin=origin_of(record.framework_id),
        generation=run.survivor.generation if run.survivor else record.generation,
        epoch=record.epoch,
        size=size,
        seconds=run.ends_at - draft.now,
    )
    return with_run(draft, run).waking(run.ends_at).asking(order)


# The one under way


def _plan_run(draft: Draft, settings: BackupSettings) -> Draft:
    run = draft.model.backups.run
    assert run is not None
    if draft.now >= run.ends_at:
        return fail(draft, "it took too long")
    draft = draft.waking(run.ends_at)
    if run.stage is not Stage.SENDING:
        return draft  # the target's answer is waited for, which has a limit of its own
    member = draft.model.record.owner(run.task_id)
    if member is None or draft.model.known_dead(run.task_id):
        return fail(draft, f"{run.member} has ended")
    report = run.report
    if report is not None and report.sending is Sending.FAILED:
        return fail(draft, f"{run.member}: {report.reason}")
    if report is not None and report.sending is Sending.SENT:
        return _count(draft, member, run, settings)
    if draft.now >= run.heard_at + settings.silence:
        return fail(draft, f"{run.member}'s executor does not answer")
    draft = draft.waking(run.heard_at + settings.silence)
    return _tell(draft, member, run, settings)


def _tell(draft: Draft, member: Member, run: Run, settings: BackupSettings) -> Draft:
    """The order, whenever nothing was heard of it for a while: a report may be lost, too."""
    if draft.now < run.order_at:
        return draft.waking(run.order_at)
    assert run.way is not None
    again = draft.now + settings.order_again
    what: dict[str, Any] = {
        "task_id": run.task_id,
        "epoch": draft.model.record.epoch,
        "name": run.name,
        "way": run.way,
        "seconds": run.ends_at - draft.now,
        "idle_seconds": settings.idle,
    }
    kept = run.survivor.kept if run.survivor else None
    order = orders.BackupKept(**what, kept=kept) if kept else orders.Backup(**what)
    draft = with_run(draft, evolve(run, order_at=again)).waking(again)
    return draft.asking(message(member, order))


def _count(draft: Draft, member: Member, run: Run, settings: BackupSettings) -> Draft:
    """Have the target's copy read back, now that all of it was sent."""
    model, report = draft.model, run.report
    assert report is not None
    assert run.way is not None
    if report.revision < run.floor:
        return fail(draft, f"{run.member} has revision {report.revision} of {run.floor}")
    manifest = Manifest(
        name=run.name,
        cluster=model.record.cluster_name,
        cluster_id=(run.survivor or model.record).cluster_id,
        generation=(run.survivor or model.record).generation,
        member=run.member,
        taken_at=run.taken_at,
        revision=report.revision,
        term=report.term,
        etcd_version=member.etcd_version,
        size=report.size,
        sha256=report.sha256,
        tool=settings.tool,
        survivor=run.survivor is not None,
    )
    ends_at = draft.now + settings.limit_of(report.size)
    counting = evolve(run, stage=Stage.COUNTING, ends_at=ends_at)
    return (
        with_run(draft, counting)
        .waking(ends_at)
        .asking(
            CountBackup(
                manifest=manifest, way=run.way, tags=report.tags, seconds=ends_at - draft.now
            )
        )
    )


def with_run(draft: Draft, run: Run) -> Draft:
    """With this as the backup under way."""
    return draft.having(backups=evolve(draft.model.backups, run=run))


def fail(draft: Draft, reason: str) -> Draft:
    """The backup under way came to nothing: nothing of it is left, and it is tried again later."""
    view, settings = draft.model.backups, draft.model.settings.backups
    assert settings is not None
    run = view.run
    failures = view.failures + 1
    again = draft.now + doubling(settings.again_first, settings.interval, failures)
    failed = evolve(
        view,
        run=None,
        failures=failures,
        failed=view.failed + 1,
        failure=reason,
        due_at=again,
    )
    draft = draft.having(backups=failed).waking(again)
    if run is None or run.way is None:
        return draft
    off = evolve(draft.model.backups, called_off=(run.task_id, run.name))
    return draft.having(backups=off).asking(AbandonBackup(name=run.name, way=run.way))


# Old ones


def _plan_tidying(draft: Draft, settings: BackupSettings) -> Draft:
    """Delete what may go, one after the other; only by a catalogue that was just read whole, and
    nothing while it is not known what a reseed comes to."""
    view = draft.model.backups
    if view.catalogue is None or view.deleting or view.reading or draft.model.record.reseed:
        return draft
    gone = expired(view.catalogue, settings.keep, origin_of(draft.model.record.framework_id))
    if not gone:
        return draft
    if draft.now < view.delete_at:
        return draft.waking(view.delete_at)
    deleting = evolve(view, deleting=gone[0])
    return draft.having(backups=deleting).asking(DeleteBackup(name=gone[0]))
