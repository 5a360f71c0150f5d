"""Seeding: the member's data set aside, the chosen snapshot restored where it was.

What is started on it afterwards is a member of a new cluster, alone, under the same name and peer
URL.  Undoing it is `holding`'s.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.executor.commands import RestoreSeed
from etcdmesos.executor.events import CommandFailed, SeedRestored
from etcdmesos.executor.holding import aside_path, plan_cancel
from etcdmesos.executor.model import Draft, Own
from etcdmesos.executor.observe import event_of


def take_seed(draft: Draft) -> Draft:
    """From here on the member is the seed: etcd may run, as another cluster's only member."""
    seed, spec = draft.model.reseed.seed, draft.model.spec
    assert seed is not None
    assert spec is not None
    draft = _over(draft)
    return (
        draft.with_record(held=None)
        .with_reseed(seed=None, log_end=None, snapshot=None)
        .having(
            spec=evolve(
                spec,
                generation=seed.generation,
                token=seed.token,
                initial_cluster=f"{spec.name}={spec.peer_url}",
                initial_cluster_state="new",
                restores=False,
            ),
            cluster_id="",
            member_id="",
            crashes=0,
            remark=f"restored the chosen snapshot as the seed of generation {seed.generation}",
        )
    )


def note_restored(draft: Draft) -> Draft:
    """Restored too late: what it is to be used for is over."""
    generation = event_of(draft, SeedRestored).generation
    return _over(draft).having(remark=f"the seed of generation {generation} is not wanted any more")


def fail_seed(draft: Draft) -> Draft:
    """Whatever was done is undone."""
    reason = event_of(draft, CommandFailed).reason
    return (
        _over(draft)
        .with_reseed(seed=None, undo=True, failed="seed", reason=reason)
        .having(remark=f"no seed: {reason}")
    )


def _over(draft: Draft) -> Draft:
    return draft.with_reseed(working=False, cancelling=False)


def plan_restore(draft: Draft) -> Draft:
    """Set the data aside and restore the snapshot, once; end that if it is not wanted any more."""
    model, reseed, spec = draft.model, draft.model.reseed, draft.model.spec
    if reseed.working:
        return plan_cancel(draft) if reseed.seed is None else draft
    seed = reseed.seed
    assert seed is not None
    assert spec is not None
    assert reseed.snapshot is not None
    own = Own(
        generation=seed.generation,
        spec=spec,
        cluster_id=model.cluster_id,
        member_id=model.member_id,
        snapshot=reseed.snapshot,
    )
    aside = aside_path(model, seed.generation)
    return (
        draft.with_record(seeded=seed.generation)
        .with_reseed(working=True, seed_ran=False, own=own, kept=(*reseed.kept, aside))
        .asking(
            RestoreSeed(
                generation=seed.generation,
                tool=seed.tool,
                snapshot=reseed.snapshot.path,
                sha256=seed.snapshot_sha256,
                data_directory=model.data_directory,
                aside=aside,
                name=spec.name,
                peer_url=spec.peer_url,
                token=seed.token,
                bump_revision=seed.bump_revision,
            )
        )
    )
