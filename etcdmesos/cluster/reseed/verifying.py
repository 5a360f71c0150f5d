"""Does the seed serve as a cluster of its own?  What is still missing, and the questions for it.

It has to show a new cluster id, itself as leader, a list of exactly itself, and a proposal that was
committed through it.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.commands import ListMembers, ProbeProgress
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.standing import report_of
from etcdmesos.etcd.member_health import MemberHealth


def unverified(model: Model, seed: Member) -> str:
    """What `seed` has not shown yet, as the rest of a clause; "" when it has shown everything."""
    health, listing, progress = _shown(model, seed), model.membership.listing, model.progress
    if health is None:
        return "it has not answered as another cluster"
    if health.learner or health.leader != health.member_id:
        return "it does not lead itself"
    if listing is None or listing.cluster_id != health.cluster_id:
        return "it has not said whom it lists"
    if [(entry.id, entry.learner) for entry in listing.members] != [(health.member_id, False)]:
        return "it lists others than itself"
    made = progress.made_by == seed.name and progress.made_at is not None
    if not made or progress.failing_since is not None:
        return f"it has committed nothing ({progress.failure or 'not tried yet'})"
    return ""


def _shown(model: Model, seed: Member) -> MemberHealth | None:
    """The word of the new cluster, that its executor reported; not the old one's."""
    view, report = model.view(seed.name), report_of(model, seed)
    health = view.latest
    if health is None or report is None or view.failing_since is not None:
        return None
    if health.cluster_id == model.record.cluster_id:
        return None
    return health if report.cluster_id in ("", health.cluster_id) else None


def plan_verification(draft: Draft, seed: Member) -> Draft:
    """Ask the seed whom it lists, and to commit something, as soon as it answers at all."""
    health = _shown(draft.model, seed)
    if health is None or health.leader != health.member_id:
        return draft
    return _ask_for_progress(_ask_for_the_list(draft, seed, health), seed)


def _ask_for_the_list(draft: Draft, seed: Member, health: MemberHealth) -> Draft:
    view = draft.model.membership
    if view.listing is not None and view.listing.cluster_id == health.cluster_id:
        return draft
    if view.busy:
        return draft
    if draft.now < view.ask_at:
        return draft.waking(view.ask_at)
    return draft.having(membership=evolve(view, busy=True)).asking(
        ListMembers(client_url=seed.client_url)
    )


def _ask_for_progress(draft: Draft, seed: Member) -> Draft:
    progress = draft.model.progress
    if progress.probing or (progress.made_by == seed.name and progress.failing_since is None):
        return draft
    if draft.now < progress.probe_at:
        return draft.waking(progress.probe_at)
    return draft.having(progress=evolve(progress, probing=True)).asking(
        ProbeProgress(member=seed.name, client_url=seed.client_url)
    )
