"""Planted bugs in restoring: when it begins, from what, and what is left if nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.adapters.restore.checking import point_of
from etcdmesos.backups.source import NoSuchBackup, Source, Unsound, choose
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.cluster.events import RestoreAsked
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.reseed.ordering import seeding
from etcdmesos.cluster.restore.beginning import begin
from etcdmesos.cluster.restore.episode import Restore, Stage
from etcdmesos.cluster.restore.permission import origin_wanted, refusal, under_way
from etcdmesos.cluster.restore.stages import chosen
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import Action, planted, scheduler_with


def _changing(name: str, change: Callable[[Draft, Draft], Draft]) -> Cores:
    """Cores in which what an action came to is changed, if it had to do with a restore."""

    def act(draft: Draft) -> Draft:
        done = ACTIONS[name](draft)
        return done if done.model.record is draft.model.record else change(draft, done)

    return scheduler_with(actions={name: act})


def _believing(lies: dict[str, Any], *names: str, at: Callable[[Restore | None], bool]) -> Cores:
    """Cores in which these actions go by a record that says so, while the restore on it is such."""

    def lying(name: str) -> Action:
        def act(draft: Draft) -> Draft:
            truth = draft.model.record
            if not at(truth.restore):
                return ACTIONS[name](draft)
            lied = evolve(truth, **lies)
            done = ACTIONS[name](draft.having(record=lied))
            return done.having(record=truth) if done.model.record is lied else done

        return act

    return scheduler_with(actions={name: lying(name) for name in names})


def _given_up(restore: Restore | None) -> bool:
    return restore is not None and restore.stage is Stage.FAILED


@planted("only_the_lost_are_restored")
def restores_though_members_live() -> Cores:
    """The operator's word is enough: whether anybody lives who has more is not looked at."""

    def act(draft: Draft) -> Draft:
        event, model = draft.event, draft.model
        ours = isinstance(event, RestoreAsked) and model.store.loaded and not under_way(model)
        if not ours or not refusal(model):
            return ACTIONS["take_restore_asked"](draft)
        return begin(draft, Source(), "the operator ordered it", older=False, by_operator=True)

    return scheduler_with(actions={"take_restore_asked": act})


@planted("only_the_lost_are_restored")
def forgets_how_they_ended() -> Cores:
    """The members of the lost cluster are put away as the older record had them, before the last
    of them ended."""

    def change(_: Draft, done: Draft) -> Draft:
        alive = tuple(
            evolve(member, tasks=tuple(evolve(task, ended="") for task in member.tasks))
            for member in done.model.record.lost_members
        )
        return done.recording(lost_members=alive)

    return _changing("restore_if_lost", change)


@planted("only_what_was_read_back_is_restored")
def restores_what_nobody_read_back() -> Cores:
    """What is listed has been verified once, so it is not read again."""

    def act(draft: Draft) -> Draft:
        model, restore = draft.model, draft.model.record.restore
        catalogue = model.backups.catalogue
        if restore is None or restore.stage is not Stage.CHOOSING or catalogue is None:
            return ACTIONS["plan_restore"](draft)
        try:
            made = choose(catalogue, restore.source, origin_wanted(model, restore.source))
        except (NoSuchBackup, Unsound):
            return ACTIONS["plan_restore"](draft)
        return chosen(draft, restore, point_of(made))

    return scheduler_with(actions={"plan_restore": act})


@planted("older_ones_are_allowed")
def takes_the_one_before_unasked() -> Cores:
    """When the newest is damaged, the one before is better than nothing: nobody is asked."""

    def act(draft: Draft) -> Draft:
        restore = draft.model.record.restore
        if restore is None:
            return ACTIONS["take_damaged"](draft)
        done = ACTIONS["take_damaged"](draft.recording(restore=evolve(restore, older=True)))
        made = done.model.record.restore
        return done.recording(restore=made and evolve(made, older=restore.older))

    return scheduler_with(actions={"take_damaged": act})


@planted("attempts_to_restore_are_new")
def keeps_the_generation_of_the_lost() -> Cores:
    """The cluster is the same as before, so its generation and token are."""

    def act(draft: Draft) -> Draft:
        record = draft.model.record
        launching = record.restore is not None and record.restore.stage is Stage.LAUNCHING
        if not launching or not record.generation:
            return ACTIONS["plan_restore"](draft)
        before = record.generation - 1
        lied = evolve(record, generation=before, attempted_generation=before)
        done = ACTIONS["plan_restore"](draft.having(record=lied))
        if done.model.record is lied:
            return done.having(record=record)
        return done.recording(generation=record.generation)

    return scheduler_with(actions={"plan_restore": act})


@planted("orders_are_on_record")
def seeds_before_it_is_on_record() -> Cores:
    """As soon as the backup is fetched its restoring is ordered, and written down afterwards."""

    def change(before: Draft, done: Draft) -> Draft:
        was, now, model = before.model.record.restore, done.model.record.restore, done.model
        fetched = was is not None and was.stage is Stage.FETCHING
        if not fetched or now is None or now.stage is not Stage.SEEDING or now.point is None:
            return done
        task = model.record.members[0].tasks[-1]
        whose = {"task_id": task.id, "epoch": model.record.epoch, "generation": now.generation}
        order = seeding(model, whose, now.point.sha256, now.bump)
        assert order is not None
        data = orders.encode(order)
        return done.recording(restore=was).asking(
            SendMessage(executor_id=task.executor_id, agent_id=task.agent_id, data=data)
        )

    return _changing("plan_restore", change)


@planted("revisions_never_go_back")
def does_not_raise_revisions() -> Cores:
    """Revisions go on where the backup ended, although the tool can raise them."""

    def change(_: Draft, done: Draft) -> Draft:
        restore = done.model.record.restore
        return done.recording(restore=restore and evolve(restore, bump=0))

    return _changing("take_checked", change)


@planted("restores_are_told")
def does_not_tell_what_is_missing() -> Cores:
    """Nothing is kept of a restore that succeeded, nor of what may be missing since."""

    def change(before: Draft, done: Draft) -> Draft:
        told = before.model.record.restores
        return done if done.model.record.restores == told else done.recording(restores=told)

    return _changing("plan_restore", change)


@planted("failed_restores_change_nothing")
def forgets_who_was_lost() -> Cores:
    """When a backup turns out to be bad, nobody remembers whose data may lie where."""

    def change(_: Draft, done: Draft) -> Draft:
        given_up = _given_up(done.model.record.restore)
        return done.recording(members=()) if given_up else done

    return _changing("take_damaged", change)


@planted("restores_are_wanted", "it_ends_well")
def restores_again_and_again() -> Cores:
    """What was given up is begun anew, as the cluster is lost still: for ever."""
    return _believing({"restore": None}, "restore_if_lost", at=_given_up)


@planted("nothing_begins_empty")
def begins_empty_when_nothing_comes_of_it() -> Cores:
    """A new cluster whose backup turns out to be bad starts without it."""
    return _believing({"restore": None}, "plan_bootstrap", "plan_offers", at=_given_up)
