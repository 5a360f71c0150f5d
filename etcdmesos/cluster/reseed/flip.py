"""The new cluster takes the old one's place, in one write of the record.

From here on it is announced, the other members are of the past, and what is missing is for ordinary
healing.  Asks for nothing.
"""

from __future__ import annotations

from etcdmesos.cluster.episode import Reseed, Reseeded
from etcdmesos.cluster.leaving import tasks_to_end
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import LONGEST_HISTORY, Member
from etcdmesos.cluster.succession import left_behind, succeed


def flip(draft: Draft, reseed: Reseed, seed: Member) -> Draft:
    """`seed`, which was verified, is the cluster; tasks of all others are of the past."""
    model = draft.model
    record, view = model.record, model.view(seed.name)
    assert view.latest is not None
    history = (*record.reseeds, _told(model, reseed, seed, draft.now))[-LONGEST_HISTORY:]
    draft = succeed(
        draft,
        seed,
        reseed.generation,
        highest_revision=max(record.highest_revision, view.latest.revision),
        reseeds=history,
        reseed_count=record.reseed_count + 1,
    )
    past = [member for member in record.members if member.name != seed.name]
    return draft.having(kills={**tasks_to_end(model, past), **model.kills})


def _told(model: Model, reseed: Reseed, seed: Member, now: float) -> Reseeded:
    chosen = reseed.chosen
    assert chosen is not None
    return Reseeded(
        generation=reseed.generation,
        at=model.unix_time(now),
        why=reseed.why,
        member=seed.name,
        revision=chosen.revision,
        bump=chosen.bump,
        highest_revision=max(model.record.highest_revision, chosen.revision),
        proven=reseed.proven,
        by_operator=reseed.by_operator,
        past=left_behind((seed, *(m for m in model.record.members if m.name != seed.name))),
    )
