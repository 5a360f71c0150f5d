"""Planted bugs in backups: of whom they are taken, how many at once, what goes, and what waits."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.backups.names import origin_in, origin_of
from etcdmesos.backups.retention import Catalogue
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.backups.view import Stage
from etcdmesos.cluster.commands import DeleteBackup, OpenBackup
from etcdmesos.cluster.model import Draft
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import planned_by, planted, scheduler_with

LONG_AGO = 1e6
"""Seconds, in which every backup has grown old."""


@planted("backups_are_of_voters", "only_the_sound_count")
def backs_up_whoever_came_last() -> Cores:
    """The newest member is the least busy one, so it is asked: a learner, or one that is behind."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_backups"](draft)
        run = done.model.backups.run
        if run is None or not any(isinstance(x, OpenBackup) for x in done.commands):
            return done
        members = [m for m in done.model.record.members if m.tasks]
        wrong = evolve(run, member=members[-1].name, task_id=members[-1].tasks[-1].id, floor=0)
        return done.having(backups=evolve(done.model.backups, run=wrong))

    return scheduler_with(actions={"plan_backups": plan})


@planted("one_backup_at_a_time")
def forgets_the_one_under_way() -> Cores:
    """An executor that has said nothing for five seconds is taken for one without a backup: the
    next is begun, and the first one goes on."""

    def plan(draft: Draft) -> Draft:
        view = draft.model.backups
        run = view.run
        silent = run is not None and run.stage is Stage.SENDING and draft.now > run.heard_at + 5.0
        if silent:
            draft = draft.having(backups=evolve(view, run=None, asked=True))
        return ACTIONS["plan_backups"](draft)

    return scheduler_with(actions={"plan_backups": plan})


def _as_read(draft: Draft, catalogue: Catalogue) -> Draft:
    """The plan, from a catalogue that is not the one that was read."""
    view = draft.model.backups
    done = ACTIONS["plan_backups"](draft.having(backups=evolve(view, catalogue=catalogue)))
    kept = evolve(done.model.backups, catalogue=view.catalogue)
    return done.having(backups=kept)


@planted("old_ones_go_after_newer_ones_count")
def makes_room_for_the_next_one() -> Cores:
    """The newest one is deleted as soon as the next is sent, and not once that one counts."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_backups"](draft)
        view, ours = done.model.backups, origin_of(done.model.record.framework_id)
        known = view.catalogue.backups if view.catalogue is not None else ()
        names = [manifest.name for manifest in known if origin_in(manifest.name) == ours]
        sent = view.run is not None and view.run.stage is Stage.COUNTING
        if not names or not sent or view.deleting:
            return done
        deleting = evolve(view, deleting=names[0])
        return done.having(backups=deleting).asking(DeleteBackup(name=names[0]))

    return scheduler_with(actions={"plan_backups": plan})


@planted("old_ones_go_after_newer_ones_count")
def an_hour_is_a_second() -> Cores:
    """Milliseconds are taken for seconds: nothing is young."""

    def plan(draft: Draft) -> Draft:
        catalogue = draft.model.backups.catalogue
        if catalogue is None:
            return ACTIONS["plan_backups"](draft)
        return _as_read(draft, evolve(catalogue, read_at=catalogue.read_at + LONG_AGO))

    return scheduler_with(actions={"plan_backups": plan})


@planted("old_ones_go_after_newer_ones_count")
def everything_there_is_ours() -> Cores:
    """Retention goes by the cluster's name alone: another framework's backups go, too."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_backups"](draft)
        view, keep = done.model.backups, draft.model.settings.backups
        if view.catalogue is None or view.run is not None or view.deleting or view.reading:
            return done
        if keep is None or len(view.catalogue.backups) < 2:
            return done
        oldest = view.catalogue.backups[-1]
        deleting = evolve(view, deleting=oldest.name)
        return done.having(backups=deleting).asking(DeleteBackup(name=oldest.name))

    return scheduler_with(actions={"plan_backups": plan})


@planted("it_ends_well", "healthy_is_seen")
def heals_after_a_good_backup() -> Cores:
    """Membership is left alone while backups fail, to be on the safe side: a target that is gone
    for good keeps a cluster from healing."""

    def plan(draft: Draft) -> Draft:
        if draft.model.backups.failures:
            return draft
        return ACTIONS["plan_membership"](draft)

    return planned_by(plan)


@planted("backups_go_on")
def gives_backups_up() -> Cores:
    """After the first failure, the wait doubles without an end."""

    def plan(draft: Draft) -> Draft:
        before = draft.model.backups.failures
        done = ACTIONS["plan_backups"](draft)
        view = done.model.backups
        if view.failures <= before or view.run is not None:
            return done
        return done.having(backups=evolve(view, due_at=draft.now + LONG_AGO))

    return scheduler_with(actions={"plan_backups": plan})
