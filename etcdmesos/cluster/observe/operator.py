"""What the operator asks for: accepted or refused at once, in one line.

Accepted means that the word is durable where it has to outlive this process; carrying it out is for
the plans.  Another thing to be asked for needs an event (a kind of OperatorAsked), a row in the
chart with its action, and a path in `etcdmesos.adapters.admin`.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import events as e
from etcdmesos.cluster.commands import AnswerOperator
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.reseed.beginning import begin
from etcdmesos.cluster.reseed.dry_run import refusal
from etcdmesos.cluster.why import why
from etcdmesos.draft import SOON


def take_uninstall(draft: Draft) -> Draft:
    """Record that this cluster is to end, as -uninstall does."""
    name = event_of(draft, e.UninstallAsked).cluster
    if refusal := another(draft, name) or not_now(draft):
        return refused(draft, refusal)
    said = (
        f"uninstalls cluster {name}: its tasks end, then its framework; the record is kept, so "
        "that no scheduler begins another one"
    )
    # Nothing is ended before the word is known to be on record: kills once decided on go on.
    errand = evolve(draft.model.errand, again_at=draft.now + SOON)
    return accepted(draft.recording(uninstalling=True).having(errand=errand), said)


def take_forget(draft: Draft) -> Draft:
    """Have the record of a cluster that Mesos has removed put aside, as -forget-cluster does."""
    name, model = event_of(draft, e.ForgetAsked).cluster, draft.model
    if refusal := another(draft, name) or not_now(draft):
        return refused(draft, refusal)
    if not model.mesos.removed:
        framework = model.record.framework_id
        return refused(
            draft,
            f"Mesos has not removed framework {framework} of cluster {name}: uninstall ends it",
        )
    said = (
        f"puts the record of cluster {name} aside and ends; the next start of a scheduler begins a "
        "new cluster"
    )
    return accepted(draft.having(errand=evolve(model.errand, forgetting=True)), said)


def take_reseed(draft: Draft) -> Draft:
    """Begin to reseed, or let the attempt under way go on in the operator's name.

    That word stands for what cannot be proven of members that are out of reach, and for nothing
    else: it is refused while quorum is not gone.
    """
    member, model = event_of(draft, e.ReseedAsked).member, draft.model
    if objection := not_now(draft) or refusal(model, draft.now, member):
        return refused(draft, objection)
    if model.record.uninstalling:
        return refused(draft, "the cluster is being uninstalled")
    said = f"reseeds from {member or 'the best survivor'}: /stats says how far it is"
    reseed = model.record.reseed
    if reseed is None or reseed.stage is Stage.RELEASING:
        begun = begin(draft, ORDERED, unproven=True, by_operator=True, member=member)
        return accepted(begun, said)
    ordered = evolve(reseed, why=ORDERED, by_operator=True, unproven=True, member=member)
    return accepted(draft.recording(reseed=ordered), said)


ORDERED = "the operator ordered it"


def another(draft: Draft, name: str) -> str:
    """Why nothing can be done here about cluster `name`; "" when it is ours."""
    ours = draft.model.settings.cluster_name
    return "" if name == ours else f"this is the scheduler of cluster {ours}, not of {name}"


def not_now(draft: Draft) -> str:
    """Why no word of the operator can be recorded at the moment; "" when it can."""
    model = draft.model
    if model.leadership.held and model.store.loaded:
        return ""
    return f"not now: {why(model, draft.now)}"


def accepted(draft: Draft, text: str) -> Draft:
    """With the answer that what was asked for is being done, let out once the save is confirmed."""
    number = event_of(draft, e.OperatorAsked).number
    return draft.asking(AnswerOperator(number=number, accepted=True, text=text))


def refused(draft: Draft, text: str) -> Draft:
    """With the answer that nothing is done, and why."""
    number = event_of(draft, e.OperatorAsked).number
    return draft.asking(AnswerOperator(number=number, accepted=False, text=text))
