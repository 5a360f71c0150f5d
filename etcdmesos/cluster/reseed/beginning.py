"""Beginning to reseed: quorum is seen to be gone, and an attempt recorded when that may be.

Nothing is asked of anybody here; what follows is in `stages.py`.
"""

from __future__ import annotations

from etcdmesos.cluster.episode import Reseed, Stage
from etcdmesos.cluster.model import Draft, ReseedView
from etcdmesos.cluster.reseed.permission import may_begin
from etcdmesos.cluster.reseed.quorum_loss import watch
from etcdmesos.cluster.reseed.stages import forget_the_released, pending
from etcdmesos.cluster.revisions import highest_revision
from etcdmesos.draft import SOON


def watch_quorum(draft: Draft) -> Draft:
    """Notice that quorum is gone, and begin an attempt to reseed when that may be."""
    draft = watch(forget_the_released(draft))
    if draft.model.reseeding.stage is not None:
        draft = draft.having(reseeding=ReseedView())
    model = draft.model
    if model.quorum_watch is None or pending(model):
        return draft
    verdict = may_begin(model, draft.now)
    if not verdict.granted:
        return draft if verdict.at is None else draft.waking(verdict.at)
    return begin(draft, verdict.why, unproven=verdict.unproven)


def begin(
    draft: Draft, why: str, *, unproven: bool, by_operator: bool = False, member: str = ""
) -> Draft:
    """Record the attempt; nothing was asked of anybody before."""
    model = draft.model
    generation = model.record.next_generation
    reseed = Reseed(
        generation=generation,
        stage=Stage.MEASURING,
        began=model.unix_time(draft.now),
        why=why,
        by_operator=by_operator,
        unproven=unproven,
        member=member,
    )
    highest = highest_revision(model)
    draft = draft.recording(
        reseed=reseed, attempted_generation=generation, highest_revision=highest
    )
    return draft.waking(draft.now + SOON).changing_course()
