"""An attempt to reseed, stage by stage: each is recorded first, and its orders go out afterwards.

Every turn looks at the whole model: the recorded stage, what executors reported of it, and whether
the old quorum shows itself.  So any scheduler goes on wherever the one before ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve

from etcdmesos import orders
from etcdmesos.cluster.backups.preceding import send_survivor
from etcdmesos.cluster.episode import Chosen, Reseed, Stage
from etcdmesos.cluster.model import Draft, KillAsked, Model, ProgressView, ReseedView
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.flip import flip
from etcdmesos.cluster.reseed.ordering import failed, send_orders, to_measure, unanswered
from etcdmesos.cluster.reseed.permission import may_seed, only_left
from etcdmesos.cluster.reseed.quorum_loss import quorum_gone, quorum_is_back, stop_watching
from etcdmesos.cluster.reseed.ranking import Candidate, candidates
from etcdmesos.cluster.reseed.standing import (
    STOPPED,
    in_reach,
    not_released,
    report_of,
    stands,
)
from etcdmesos.cluster.reseed.verifying import plan_verification, unverified
from etcdmesos.cluster.revisions import bump_beyond
from etcdmesos.draft import SOON
from etcdmesos.orders import Standing


def pending(model: Model) -> bool:
    """Whether the attempt on record has something to do: all but a release of members that nobody
    can reach."""
    reseed = model.record.reseed
    if reseed is None or reseed.stage is not Stage.RELEASING:
        return reseed is not None
    reach = {member.name for member in in_reach(model)}
    return any(member.name in reach for member in not_released(model))


def plan_reseed(draft: Draft) -> Draft:
    """Take the attempt one stage further, or see to it that the present one is carried out."""
    draft = _enter(draft)
    before = draft.model.record.reseed
    if before is None:
        return draft
    draft = _end_the_disobedient(draft, before)
    if before.stage in _BEFORE_THE_SEED and not quorum_gone(draft.model, draft.now):
        draft = _release(draft, before, "the old quorum showed itself again", setback=False)
    elif before.stage in _BEFORE_THE_SEED and draft.model.settings.artifacts.restorer is None:
        draft = _release(draft, before, "this scheduler cannot restore snapshots")
    else:
        draft = _STAGES[before.stage](draft, before)
    if draft.model.record.reseed != before:
        return draft.waking(draft.now + SOON).changing_course()
    return send_orders(draft)


_BEFORE_THE_SEED = (Stage.MEASURING, Stage.HOLDING, Stage.COPYING)


def _enter(draft: Draft) -> Draft:
    """Count the time of a stage from when this scheduler first saw it on record."""
    reseed = draft.model.record.reseed
    stage = (reseed.generation, reseed.stage) if reseed is not None else None
    if draft.model.reseeding.stage == stage:
        return draft
    return draft.having(reseeding=ReseedView(stage=stage, since=draft.now))


def _overdue(draft: Draft, limit: float) -> bool:
    return draft.now >= draft.model.reseeding.since + limit


def _waiting(draft: Draft, limit: float) -> Draft:
    return draft.waking(draft.model.reseeding.since + limit)


def _hold_limit(model: Model) -> float:
    return model.settings.grace + model.settings.hold_patience


def _end_the_disobedient(draft: Draft, reseed: Reseed) -> Draft:
    """SHUTDOWN at once for those on record who did not confirm the hold; see `kills.py`."""
    kills = {
        task.id: KillAsked.of(task, since=draft.now, again_at=draft.now)
        for member in in_reach(draft.model)
        if member.name in reseed.disobedient and reseed.stage is not Stage.RELEASING
        for task in member.tasks
        if task.id not in draft.model.kills and not draft.model.known_dead(task.id)
    }
    return draft.having(kills={**draft.model.kills, **kills}) if kills else draft


# The stages


def _measuring(draft: Draft, reseed: Reseed) -> Draft:
    """On to the hold, once everybody who answers has given a snapshot or could not."""
    limit = draft.model.settings.measure_limit
    left = any(to_measure(draft.model, m) for m in in_reach(draft.model))
    if left and not _overdue(draft, limit):
        return _waiting(draft, limit)
    return draft.recording(reseed=evolve(reseed, stage=Stage.HOLDING))


def _holding(draft: Draft, reseed: Reseed) -> Draft:
    """On to the best candidate, once all in reach are held and a seed may start."""
    model, limit = draft.model, _hold_limit(draft.model)
    reach = in_reach(model)
    running = [m for m in reach if not stands(model, m, *STOPPED)]
    asked = [m for m in running if m.name not in reseed.disobedient]
    if not all(unanswered(draft, member, limit) for member in asked):
        return draft  # woken to repeat the orders
    if asked and len(running) == len(reach):
        return _release(draft, reseed, "no executor confirmed the hold")
    if asked:
        names = [member.name for member in asked]
        failures = {**reseed.failures, **dict.fromkeys(names, "did not confirm the hold")}
        disobedient = (*reseed.disobedient, *names)
        return draft.recording(reseed=evolve(reseed, failures=failures, disobedient=disobedient))
    verdict = may_seed(model)
    if verdict.granted and reach:
        return _choose(draft, reseed, proven=not verdict.unproven)
    patience = limit + model.settings.reseed_timeout
    if _overdue(draft, patience):
        return _release(draft, reseed, f"no seed could start: {verdict.why}")
    return _waiting(draft, patience)


def _choose(draft: Draft, reseed: Reseed, *, proven: bool) -> Draft:
    """Seed from the best candidate; or copy its data first, if it has no snapshot to give."""
    best = next(iter(candidates(draft.model)), None)
    if best is None:
        return _release(draft, reseed, _nobody(reseed))
    if best.learns and not reseed.by_operator:
        return _release(draft, reseed, only_left([best.member]))
    if best.learns and best.snapshot is None:
        return _without(draft, reseed, best.member.name, UNSEEDABLE)
    reseed = evolve(reseed, seed=best.member.name, proven=proven)
    if best.snapshot is None:
        return draft.recording(reseed=evolve(reseed, stage=Stage.COPYING))
    chosen, report = _chosen(draft.model, best), report_of(draft.model, best.member)
    draft = send_survivor(draft, best.member, best.snapshot, report.term if report else 0)
    draft = draft.having(progress=ProgressView(probing=draft.model.progress.probing))
    return draft.recording(reseed=evolve(reseed, stage=Stage.SEEDING, chosen=chosen))


UNSEEDABLE = (
    "is a learner and gave no snapshot while it ran (before etcd 3.5 none does), "
    "and no etcd can be run on a copy of its data"
)
"""Run with `--force-new-cluster` it panics: "removed all voters" (seen on 3.4.23 and 3.5.30)."""


def _nobody(reseed: Reseed) -> str:
    said = "; ".join(f"{name} {why}" for name, why in reseed.failures.items())
    return f"there was no candidate left ({said or 'nobody was held'})"


def _chosen(model: Model, best: Candidate) -> Chosen:
    taken = best.snapshot
    assert taken is not None
    return Chosen(
        sha256=taken.sha256,
        revision=taken.revision,
        commit_index=best.commit_index,
        bump=bump_beyond(model, taken.revision),
    )


def _copying(draft: Draft, reseed: Reseed) -> Draft:
    """Choose again once the candidate has a snapshot; without it, if none comes."""
    model, member = draft.model, draft.model.record.member(reseed.seed)
    back = evolve(reseed, stage=Stage.HOLDING, seed="")
    if member is None or model.ended(member):
        return _without(draft, back, reseed.seed, "ended while its data were copied")
    if not stands(model, member, *STOPPED) and member not in in_reach(model):
        return _without(draft, back, reseed.seed, "went out of reach while its data were copied")
    report = report_of(model, member)
    if why := failed(report, orders.MeasureCopy):
        return _without(draft, back, reseed.seed, f"could not be copied: {why}")
    if report is not None and report.standing is Standing.HELD and _has_snapshot(model, member):
        return draft.recording(reseed=back)
    limit = model.settings.copy_limit
    if _overdue(draft, limit):
        return _without(draft, back, reseed.seed, f"was not copied within {limit:g} s")
    return _waiting(draft, limit)


def _has_snapshot(model: Model, member: Member) -> bool:
    return any(one.member == member and one.snapshot for one in candidates(model))


def _without(draft: Draft, reseed: Reseed, name: str, why: str) -> Draft:
    """With one candidate less."""
    return draft.recording(reseed=evolve(reseed, failures={**reseed.failures, name: why}))


def _seeding(draft: Draft, reseed: Reseed) -> Draft:
    """The new cluster takes the old one's place once it is seen to serve; or another is tried."""
    model, member = draft.model, draft.model.record.member(reseed.seed)
    if member is None or model.ended(member):
        return _next_seed(draft, reseed, "ended as the seed")
    report = report_of(model, member)
    if why := failed(report, orders.Seed):
        return _next_seed(draft, reseed, f"could not be restored: {why}")
    limit = model.settings.seed_limit
    if _overdue(draft, limit):
        why = unverified(model, member)
        return _next_seed(draft, reseed, f"did not serve as the seed within {limit:g} s: {why}")
    if not stands(model, member, Standing.SEEDED):
        return _waiting(draft, limit)
    if not unverified(model, member):
        return flip(draft, reseed, member)
    return plan_verification(_waiting(draft, limit), member)


def _next_seed(draft: Draft, reseed: Reseed, why: str) -> Draft:
    """What was seeded is stopped and put back, in a new generation; then the next one is tried."""
    generation = draft.model.record.next_generation
    again = evolve(
        reseed,
        generation=generation,
        stage=Stage.HOLDING,
        failures={**reseed.failures, reseed.seed: why},
        failed_seeds=(*reseed.failed_seeds, reseed.seed),
        seed="",
        chosen=None,
    )
    return draft.recording(reseed=again, attempted_generation=generation).having(
        progress=ProgressView(probing=draft.model.progress.probing)
    )


def _release(draft: Draft, reseed: Reseed, why: str, *, setback: bool = True) -> Draft:
    """Nobody is held any longer: an order of a generation of its own, so that no older one counts.

    Data, names and members are as they were before.
    """
    generation = draft.model.record.next_generation
    over = evolve(
        reseed,
        generation=generation,
        stage=Stage.RELEASING,
        disobedient=(),
        seed="",
        chosen=None,
        why=why,
    )
    draft = stop_watching(draft).recording(reseed=over, attempted_generation=generation)
    if not setback:
        return quorum_is_back(draft)
    failures = draft.model.record.reseed_failures + 1
    return draft.recording(reseed_failures=failures, reseed_setback=f"an attempt in which {why}")


def _releasing(draft: Draft, reseed: Reseed) -> Draft:
    """Over once nobody is held any more; one that never says so is left to ordinary healing."""
    limit = _hold_limit(draft.model)
    deaf = [
        member.name
        for member in not_released(draft.model)
        if member in in_reach(draft.model) and unanswered(draft, member, limit)
    ]
    if deaf:
        draft = draft.recording(reseed=evolve(reseed, disobedient=(*reseed.disobedient, *deaf)))
    return forget_the_released(draft)


def forget_the_released(draft: Draft) -> Draft:
    """The attempt is off the record once nobody is held any more."""
    reseed = draft.model.record.reseed
    if reseed is None or reseed.stage is not Stage.RELEASING or not_released(draft.model):
        return draft
    return _over(draft)


def _over(draft: Draft) -> Draft:
    """Members that were stopped are given the time of those that just started."""
    views = {
        name: evolve(view, failing_since=None, probe_at=draft.now)
        for name, view in draft.model.views.items()
    }
    return draft.recording(reseed=None).having(views=views, apart_since={})


_STAGES: Mapping[Stage, Callable[[Draft, Reseed], Draft]] = {
    Stage.MEASURING: _measuring,
    Stage.HOLDING: _holding,
    Stage.COPYING: _copying,
    Stage.SEEDING: _seeding,
    Stage.RELEASING: _releasing,
}
