"""What people are told of restoring: sentences, and a part of /stats.

Nothing parses the sentences; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import asdict

from etcdmesos.cluster.links import obstacle
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member, Record
from etcdmesos.cluster.reseed.verifying import unverified
from etcdmesos.cluster.restore.episode import Restore, Restored, Stage
from etcdmesos.cluster.restore.permission import unable
from etcdmesos.cluster.succession import left_behind
from etcdmesos.moments import iso
from etcdmesos.step import Event, RecordLoaded


def of_the_restore(model: Model, now: float) -> str:
    """What the restore under way is waiting for."""
    restore = model.record.restore
    if restore is None:
        return "is over"
    before = f" (before: {restore.failure})" if restore.failure else ""
    begun = f"restores from {restore.source}, as {restore.why}: "
    return begun + _DOING[restore.stage](model, restore, now) + before


def of_the_failure(model: Model) -> str:
    """Why nothing comes of restoring; "" when it was not given up."""
    restore = model.record.restore
    if restore is None or restore.stage is not Stage.FAILED:
        return ""
    return (
        f"restoring from {restore.source} was given up: {restore.failure}; etcd-mesos-ctl restore "
        "names another backup, or tries again"
    )


def _choosing(model: Model, restore: Restore, now: float) -> str:
    if reason := unable(model):
        return reason
    left = model.restoring.again_at - now
    if left > 0 and not model.restoring.busy:
        return f"pauses for {left:.0f} s before attempt {restore.attempts + 1}"
    return "waits until the backup is found and read back"


def _what(restore: Restore) -> str:
    point = restore.point
    return f"{point.name} at revision {point.revision}" if point is not None else "nothing yet"


def _launching(model: Model, restore: Restore, _now: float) -> str:
    blocked = unable(model) or obstacle(model)
    waits = blocked or "waits for an offer with room for a member"
    return f"{_what(restore)} is sound; {waits}"


def _fetching(model: Model, restore: Restore, _now: float) -> str:
    said = f" ({model.restoring.failure})" if model.restoring.failure else ""
    return f"waits until {_name(model)} has fetched {_what(restore)}{said}"


def _seeding(model: Model, restore: Restore, _now: float) -> str:
    missing = unverified(model, model.record.members[0])
    return f"waits until {_name(model)} serves {_what(restore)}: {missing}"


def _ending(model: Model, _restore: Restore, _now: float) -> str:
    return f"waits for the end of {_name(model)}"


def _failed(_model: Model, _restore: Restore, _now: float) -> str:
    return "was given up"


def _name(model: Model) -> str:
    return model.record.members[0].name if model.record.members else "a member"


_DOING: Mapping[Stage, Callable[[Model, Restore, float], str]] = {
    Stage.CHOOSING: _choosing,
    Stage.LAUNCHING: _launching,
    Stage.FETCHING: _fetching,
    Stage.SEEDING: _seeding,
    Stage.ENDING: _ending,
    Stage.FAILED: _failed,
}


def of_a_restore(one: Restored) -> str:
    """One that succeeded, and what may be missing since."""
    by = "on the operator's word" if one.by_operator else f"as {one.why}"
    seen = one.highest_revision
    lost = f"; the highest one ever seen was {seen}" if seen else ""
    twice = "" if one.bump else "; clients may see revisions a second time"
    return (
        f"{iso(one.at)}: restored from {one.source} of {iso(one.taken_at)}, {by}; writes above "
        f"revision {one.revision} are missing{lost}{twice}"
    )


def places(members: tuple[Member, ...]) -> str:
    """Where the data of `members` lies until it is collected."""
    return "; ".join(left_behind(members))


def stats(model: Model) -> dict[str, Any]:
    """The part of /stats that tells of it all."""
    record, restore = model.record, model.record.restore
    return {
        "restore": None
        if restore is None
        else {
            "source": str(restore.source),
            "stage": restore.stage.value,
            "began": iso(restore.began),
            "why": restore.why,
            "by_operator": restore.by_operator,
            "backup": restore.point.name if restore.point else "",
            "revision": restore.point.revision if restore.point else None,
            "generation": restore.generation,
            "attempts": restore.attempts,
            "failure": restore.failure,
            "refused": dict(restore.refused),
        },
        "restores": [
            {
                **asdict(one),
                "at": iso(one.at),
                "taken_at": iso(one.taken_at),
                "past": list(one.past),
                "text": of_a_restore(one),
            }
            for one in record.restores
        ],
    }


def news(event: Event, before: Model, after: Model) -> Iterator[tuple[str, bool]]:
    """What a step came to, each a line and whether somebody should look."""
    if isinstance(event, RecordLoaded) and after.store.loaded and not before.store.loaded:
        yield from _unused(after)
    if before.record is after.record:
        return
    was, now = before.record.restore, after.record.restore
    if now is not None and (was is None or was.stage is not now.stage):
        why = f": {now.failure}" if now.stage in (Stage.ENDING, Stage.FAILED) else ""
        yield f"{now.stage.value}, from {now.source}, as {now.why}{why}", True
    for name, reason in now.refused.items() if now is not None else ():
        if was is None or name not in was.refused:
            yield f"{name} {reason}", True
    yield from _succeeded(before.record, after.record)


def _unused(after: Model) -> Iterator[tuple[str, bool]]:
    """The flag that restores nothing, as this is no new cluster."""
    record, source = after.record, after.settings.restore.source
    if source is None or not (record.served or record.members or record.restores):
        return
    last = record.restores[-1:]
    known = f"it was restored from {last[0].source}" if last else "it is not new"
    yield f"-restore-from={source} restores nothing in this cluster: {known}", True


def _succeeded(before: Record, after: Record) -> Iterator[tuple[str, bool]]:
    for one in after.restores[-1:]:
        if before.restores[-1:] != (one,):
            yield of_a_restore(one), True
