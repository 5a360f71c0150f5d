"""A restore, stage by stage: each is recorded first, and what it asks for goes out afterwards.

Every turn looks at the whole model, so any scheduler goes on wherever the one before ended.  An
attempt that fails ends its one member, which has nothing that was not in the backup; the next one
launches another.  After so many attempts it is given up: then the operator has the word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve

from etcdmesos import orders
from etcdmesos.backoff import doubling
from etcdmesos.cluster import placement
from etcdmesos.cluster.bootstrap import (
    launch_gang,
    nobody_vouched_for,
    places_for,
    shun_the_failed,
)
from etcdmesos.cluster.commands import CheckBackup, LendBackup
from etcdmesos.cluster.links import obstacle
from etcdmesos.cluster.model import Draft, Model, ProgressView, ended_on_record, without
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.record import Step as MemberStep
from etcdmesos.cluster.reseed.ordering import failed
from etcdmesos.cluster.reseed.standing import in_reach, report_of, stands
from etcdmesos.cluster.reseed.verifying import plan_verification, unverified
from etcdmesos.cluster.restore.episode import Point, Restore, Stage
from etcdmesos.cluster.restore.flip import flip
from etcdmesos.cluster.restore.permission import origin_wanted, unable
from etcdmesos.cluster.restore.seed import fetched, send_order
from etcdmesos.cluster.restore.view import RestoreView
from etcdmesos.cluster.revisions import bump_beyond
from etcdmesos.cluster.terms import Terms
from etcdmesos.draft import SOON
from etcdmesos.orders import Standing


def plan_restore(draft: Draft) -> Draft:
    """Take the restore one stage further, or see to it that the present one is carried out."""
    draft = _enter(draft)
    before = draft.model.record
    if before.restore is None or before.restore.stage is Stage.FAILED:
        return draft
    if before.restore.stage in _BEFORE_THE_MEMBER and unable(draft.model):
        return draft  # for a scheduler that can
    draft = _STAGES[before.restore.stage](draft, before.restore)
    if draft.model.record.restore == before.restore:
        return draft
    return draft.waking(draft.now + SOON).changing_course()


_BEFORE_THE_MEMBER = (Stage.CHOOSING, Stage.LAUNCHING)


def _enter(draft: Draft) -> Draft:
    """Count the time of a stage from when this scheduler first saw it on record."""
    restore, view = draft.model.record.restore, draft.model.restoring
    stage = None
    if restore is not None:
        stage = (restore.attempts, restore.generation, restore.stage)
    if view.stage == stage:
        return draft
    # What was asked before is still under way, and the wait before an attempt is one.
    fresh = RestoreView(stage=stage, since=draft.now, busy=view.busy, again_at=view.again_at)
    return draft.having(restoring=fresh)


# The stages


def _choosing(draft: Draft, restore: Restore) -> Draft:
    """Have the backup looked for and read back."""
    view, settings = draft.model.restoring, draft.model.settings.restore
    if view.busy:
        return draft
    if draft.now < view.again_at:
        return draft.waking(view.again_at)
    origin = origin_wanted(draft.model, restore.source)
    return draft.having(restoring=evolve(view, busy=True)).asking(
        CheckBackup(
            source=restore.source,
            origin=origin,
            refused=tuple(restore.refused),
            seconds=settings.check_limit,
        )
    )


def chosen(draft: Draft, restore: Restore, point: Point) -> Draft:
    """`point` was read back and is sound: it is what will be restored."""
    bump = bump_beyond(draft.model, point.revision)
    return draft.recording(restore=evolve(restore, stage=Stage.LAUNCHING, point=point, bump=bump))


def unsound(draft: Draft, restore: Restore, name: str, reason: str) -> Draft:
    """It will be no better another time: the one before it is next, if the operator allows it; or
    ("") nothing is there."""
    if not name:
        return _give_up(draft, restore, reason)
    refused = evolve(restore, refused={**restore.refused, name: reason})
    if restore.older and not restore.source.name and not restore.source.path:
        return draft.recording(restore=refused)
    hint = "" if restore.source.name or restore.source.path else _OLDER
    return _give_up(draft, refused, f"{name} {reason}{hint}")


_OLDER = "; the one before it is restored only when it is named, or with -restore-older"


def _launching(draft: Draft, restore: Restore) -> Draft:
    """Launch one member without data, as soon as there is a place."""
    model, now = draft.model, draft.now
    if now < model.restoring.again_at:
        return draft.waking(model.restoring.again_at)
    offers = [held.offer for held in model.offers.values()]
    if obstacle(model) or not placement.room(offers, 1, model.settings):
        return draft  # plan_offers gives back what is held for too long
    generation = model.record.next_generation
    fetching = evolve(restore, stage=Stage.FETCHING, generation=generation)
    return launch_gang(
        draft.having(progress=ProgressView(probing=model.progress.probing)),
        places_for(model, offers, 1, now),
        generation,
        restore=fetching,
    )


def _fetching(draft: Draft, restore: Restore) -> Draft:
    """See to it that the member has the snapshot."""
    model, member = draft.model, draft.model.record.members[0]
    settings, since = model.settings, model.restoring.since
    if model.ended(member):
        return _fail(draft, restore, _end_of(model, member))
    if why := failed(report_of(model, member), orders.FetchBackup):
        return _fail(draft, restore, f"{member.name} on {member.hostname}: {why}")
    if fetched(model, member, restore):
        return draft.recording(restore=evolve(restore, stage=Stage.SEEDING))
    starts_by, ends_at = since + settings.bootstrap_limit, since + _limit(model, restore)
    if member not in in_reach(model):
        if draft.now >= starts_by:
            within = f"within {settings.bootstrap_limit:g} s"
            return _fail(draft, restore, f"{member.name} did not start {within}")
        return draft.waking(starts_by)
    if draft.now >= ends_at:
        said = f": {model.restoring.failure}" if model.restoring.failure else ""
        return _fail(draft, restore, f"{member.name} did not fetch the backup in time{said}")
    return send_order(_lend(draft.waking(ends_at), restore, ends_at), member, restore, ends_at)


def _limit(model: Model, restore: Restore) -> float:
    """Seconds for fetching a backup, or for restoring it until it serves."""
    settings = model.settings.restore
    assert restore.point is not None
    return settings.limit + restore.point.size / settings.slowest


def _lend(draft: Draft, restore: Restore, ends_at: float) -> Draft:
    """Have an address made for the snapshot; what an earlier scheduler gave out is gone with it."""
    view, point = draft.model.restoring, restore.point
    assert point is not None
    if view.busy or view.url:
        return draft
    if draft.now < view.again_at:
        return draft.waking(view.again_at)
    lending = LendBackup(point=point, seconds=ends_at - draft.now)
    return draft.having(restoring=evolve(view, busy=True)).asking(lending)


def _seeding(draft: Draft, restore: Restore) -> Draft:
    """It is the cluster once it is seen to serve."""
    model, member = draft.model, draft.model.record.members[0]
    if model.ended(member):
        return _fail(draft, restore, _end_of(model, member))
    if why := failed(report_of(model, member), orders.Seed):
        return _fail(draft, restore, f"{member.name} on {member.hostname}: {why}")
    ends_at = model.restoring.since + _limit(model, restore)
    if draft.now >= ends_at:
        why = unverified(model, member)
        return _fail(draft, restore, f"{member.name} did not serve in time: {why}")
    draft = draft.waking(ends_at)
    if not stands(model, member, Standing.SEEDED):
        return send_order(draft, member, restore, ends_at)
    if not unverified(model, member):
        return flip(draft, restore, member)
    return plan_verification(draft, member)


def _end_of(model: Model, member: Member) -> str:
    status = model.tasks[member.tasks[-1].id]
    return f"{member.name} on {member.hostname} ended: {status.summary}"


# What fails


def _fail(draft: Draft, restore: Restore, why: str) -> Draft:
    """Record that the attempt is over, before its member is killed (`kills.py`)."""
    members = tuple(evolve(m, step=MemberStep.REMOVING) for m in draft.model.record.members)
    shunned = shun_the_failed(draft.model, draft.now)
    ending = evolve(restore, stage=Stage.ENDING, failure=why)
    draft = draft.having(shunned=shunned).recording(members=members, restore=ending)
    return _ending(draft, ending)


def _ending(draft: Draft, restore: Restore) -> Draft:
    """Once its member has ended, or nobody vouches for it: it was never told of to anybody, and is
    killed when it comes back."""
    model = draft.model
    if not nobody_vouched_for(model):
        return draft
    ended = [task.id for member in model.record.members for task in member.tasks]
    draft = draft.recording(members=()).having(
        kills=without(model.kills, *ended), views={}, terms=Terms()
    )
    return again(draft, restore, restore.failure)


def again(draft: Draft, restore: Restore, why: str) -> Draft:
    """One attempt more has come to nothing: choose anew after a while, or give up."""
    settings, attempts = draft.model.settings.restore, restore.attempts + 1
    counted = evolve(restore, attempts=attempts, failure=why)
    if attempts >= settings.attempts:
        return _give_up(draft, counted, why)
    wait = doubling(settings.again_first, settings.again_most, attempts)
    view = evolve(draft.model.restoring, again_at=draft.now + wait)
    choosing = evolve(counted, stage=Stage.CHOOSING, point=None, bump=0)
    return draft.having(restoring=view).recording(restore=choosing).waking(draft.now + wait)


def _give_up(draft: Draft, restore: Restore, why: str) -> Draft:
    """All is as it was before, and the operator is told; nothing is begun empty."""
    record = draft.model.record
    if record.members:
        return _fail(draft, evolve(restore, attempts=draft.model.settings.restore.attempts), why)
    over = evolve(restore, stage=Stage.FAILED, failure=why, point=None, bump=0)
    draft = draft.recording(restore=over, members=record.lost_members, lost_members=())
    tasks = {**ended_on_record(draft.model.record), **draft.model.tasks}
    return draft.having(tasks=tasks, restoring=RestoreView())


_STAGES: Mapping[Stage, Callable[[Draft, Restore], Draft]] = {
    Stage.CHOOSING: _choosing,
    Stage.LAUNCHING: _launching,
    Stage.FETCHING: _fetching,
    Stage.SEEDING: _seeding,
    Stage.ENDING: _ending,
}
