"""The event of a draft, as what the chart promises it to be."""

from __future__ import annotations

from typing import TypeVar

from etcdmesos.cluster.model import Draft
from etcdmesos.step import Event

T = TypeVar("T", bound=Event)


def event_of(draft: Draft, kind: type[T]) -> T:
    """The draft's event, which the chart promises is a `kind`."""
    assert isinstance(draft.event, kind)
    return draft.event
