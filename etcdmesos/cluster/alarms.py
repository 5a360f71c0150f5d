"""etcd's alarms, as the members that serve name them.  Only the operator disarms one.

NOSPACE and CORRUPT stop the writes of the whole cluster, whichever member raised them, and one that
was raised by a member that is gone stays until it is disarmed (etcd.io: maintenance, data
corruption).
"""

from __future__ import annotations

from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member

NOSPACE = "NOSPACE"
CORRUPT = "CORRUPT"


def kinds_of(model: Model, member: Member, now: float) -> list[str]:
    """What `member` raises, sorted."""
    return [alarm.kind for alarm in assess(model, now).alarms if alarm.member_id == member.id]


def corrupt(model: Model, now: float) -> frozenset[str]:
    """The ids of members whose data etcd found to differ from the others'."""
    alarms = assess(model, now).alarms
    return frozenset(alarm.member_id for alarm in alarms if alarm.kind == CORRUPT)
