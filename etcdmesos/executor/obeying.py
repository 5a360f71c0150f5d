"""Which orders are obeyed, and what each of them makes known: the scheduler's word taken in.

Nothing is asked for here.  An order only says what is wanted; the chart's reviews and the plans in
`holding`, `measuring` and `seeding` make it so.  Orders come late, twice and in any order, so what
each is taken for follows from the record's generation and from what was done in it.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.executor.backing_up import take_backup_order
from etcdmesos.executor.events import MessageReceived
from etcdmesos.executor.model import Draft, Held, Process, Reseed
from etcdmesos.executor.observe import event_of
from etcdmesos.executor.retention import take_discard
from etcdmesos.orders import (
    Backup,
    BadMessage,
    CancelBackup,
    Discard,
    FetchBackup,
    Hold,
    MeasureCopy,
    Order,
    Release,
    ReseedOrder,
    Seed,
    TakeSnapshot,
    decode,
    name_of,
)


def take_message(draft: Draft) -> Draft:
    """Take an order in, unless it is not for us, or of a scheduler that was replaced."""
    try:
        order = decode(event_of(draft, MessageReceived).data)
    except BadMessage as error:
        return draft.having(remark=f"ignored a message: {error}")
    if not isinstance(order, Order):
        return draft.having(remark="ignored a message that is no order")
    model, record = draft.model, draft.model.record
    if model.task is None or order.task_id != model.task.id:
        return draft.having(remark=f"ignored an order for task {order.task_id}, which is not ours")
    if order.epoch < record.epoch:
        said = f"refused an order of epoch {order.epoch}: the highest seen is {record.epoch}"
        return draft.with_reseed(answer_due=True).having(remark=said)
    draft = draft.with_record(epoch=order.epoch)
    if model.ending is not None:
        return draft.having(remark="ignored an order: the task is to end")
    if isinstance(order, ReseedOrder):
        return _take_reseed_order(draft, order)
    if isinstance(order, Backup | CancelBackup):
        return take_backup_order(draft, order)
    if isinstance(order, Discard):
        return take_discard(draft, order)
    return draft.having(remark=f"ignored an order of a kind not known here: {name_of(type(order))}")


def _take_reseed_order(draft: Draft, order: ReseedOrder) -> Draft:
    draft = draft.with_reseed(answer_due=True, undo_failed=False)
    generation = draft.model.record.generation
    kind = name_of(type(order))
    if order.generation < generation:
        said = f"ignored {kind} of generation {order.generation}: {generation} was ordered since"
        return draft.having(remark=said)
    if order.generation > generation:
        draft = _begin_attempt(draft, order.generation)
    draft = draft.having(remark=f"ordered: {kind}, generation {order.generation}")
    if draft.model.reseed.released and not isinstance(order, Release):
        return draft
    match order:
        case TakeSnapshot():
            return _take_snapshot(draft)
        case Hold():
            return _take_hold(draft, order)
        case MeasureCopy():
            return _take_measure(draft)
        case FetchBackup():
            return _take_fetch(draft, order)
        case Seed():
            return _take_seed(draft, order)
        case Release():
            return _take_release(draft, order)
        case _:
            return draft


def _begin_attempt(draft: Draft, generation: int) -> Draft:
    """Forget what the attempt before came to; what is under way goes on to its end."""
    held = draft.model.record.held is not None
    reseed = draft.model.reseed
    return draft.with_record(generation=generation).with_reseed(
        released=False,
        snapshot=reseed.snapshot if held else None,
        failed="",
        reason="",
    )


def refused(draft: Draft, kind: type[Order], reason: str) -> Draft:
    """An order came to nothing; the report says why."""
    name = name_of(kind)
    return draft.with_reseed(failed=name, reason=reason).having(remark=f"{name} failed: {reason}")


def _take_snapshot(draft: Draft) -> Draft:
    model = draft.model
    late = model.record.held is not None or model.reseed.seed_taken == model.record.generation
    if late or model.reseed.snapshot is not None:
        return draft
    if model.etcd.process is not Process.ALIVE:
        return refused(draft, TakeSnapshot, "no etcd runs here")
    return _cleared(draft, TakeSnapshot).with_reseed(snapshot_wanted=True)


def _take_hold(draft: Draft, order: Hold) -> Draft:
    if draft.model.reseed.seed_taken == order.generation:
        return draft  # late: the seed came after it
    draft = _seed_judged(draft, order.in_force)
    return draft.with_record(held=Held(epoch=order.epoch, generation=order.generation))


def _take_measure(draft: Draft) -> Draft:
    model, reseed = draft.model, draft.model.reseed
    if reseed.seed_taken == model.record.generation:
        return draft  # late: the seed came after it
    if model.record.held is None:
        return refused(draft, MeasureCopy, "not held")
    if reseed.measuring or _measured(reseed):
        return draft  # being done, or done
    return _cleared(draft, MeasureCopy).with_reseed(measuring=True)


def _take_fetch(draft: Draft, order: FetchBackup) -> Draft:
    model, reseed = draft.model, draft.model.reseed
    if reseed.seed_taken == model.record.generation:
        return draft  # late: the seed came after it
    if model.record.held is None or model.spec is None or not model.spec.restores:
        return refused(draft, FetchBackup, "this member was not launched to restore a backup")
    if reseed.snapshot is not None and reseed.snapshot.sha256 == order.sha256:
        return draft  # done
    if reseed.fetch is not None and reseed.fetch.url == order.url:
        return draft  # being done
    return _cleared(draft, FetchBackup).with_reseed(measuring=True, fetch=order)


def _measured(reseed: Reseed) -> bool:
    """Whether the snapshot holds everything that the stopped member's log does, as far as that is
    known."""
    taken, end = reseed.snapshot, reseed.log_end
    if taken is None:
        return False
    return end is None or taken.applied_index == 0 or taken.applied_index >= end.commit_index


def _take_seed(draft: Draft, order: Seed) -> Draft:
    model, reseed = draft.model, draft.model.reseed
    if reseed.seed_taken == order.generation:
        return draft
    if model.record.held is None:
        return refused(draft, Seed, "not held")
    if reseed.own is not None:
        return refused(draft, Seed, "an earlier seed is being undone")
    if reseed.measuring:
        return refused(draft, Seed, "a copy is being run, whose snapshot takes the other's place")
    if reseed.snapshot is None or reseed.snapshot.sha256 != order.snapshot_sha256:
        return refused(draft, Seed, "the snapshot that was chosen is not here")
    return _cleared(draft, Seed).with_reseed(seed=order, seed_taken=order.generation)


def _take_release(draft: Draft, order: Release) -> Draft:
    draft = _seed_judged(draft, order.in_force)
    return draft.with_record(held=None).with_reseed(released=True)


def _seed_judged(draft: Draft, in_force: int) -> Draft:
    """What was seeded for the cluster in force is the member's own by now; what was seeded for a
    later one is to be undone, and what was to be seeded is not."""
    record = draft.model.record
    if record.seeded and record.seeded <= in_force:
        return draft.with_record(seeded=0).with_reseed(own=None, seed=None)
    return draft.with_reseed(seed=None, undo=draft.model.reseed.own is not None)


def _cleared(draft: Draft, kind: type[Order]) -> Draft:
    """An earlier failure of the same order counts no longer."""
    reseed: Reseed = draft.model.reseed
    if reseed.failed != name_of(kind):
        return draft
    return draft.having(reseed=evolve(reseed, failed="", reason=""))
