"""The subscription at the agent: kept up, and given up when it is of no use any more."""

from __future__ import annotations

from etcdmesos.executor.commands import Subscribe
from etcdmesos.executor.model import Draft, Model
from etcdmesos.executor.settings import FIRST_SUBSCRIBE_WITHIN


def given_up(model: Model, now: float) -> bool:
    """Whether the agent has been away for longer than it may."""
    return not model.link.subscribed and now >= _until(model)


def _until(model: Model) -> float:
    """Until when to wait for the agent."""
    settings, link = model.settings, model.link
    if settings.checkpoint:
        patience = settings.recovery_timeout
    else:
        # Nobody expects us back: the master has given our task up already.
        patience = 0.0 if link.ever else FIRST_SUBSCRIBE_WITHIN
    return link.down_since + patience


def keep_subscribed(draft: Draft) -> Draft:
    """Subscribe when we are not, naming all that the agent has not acknowledged."""
    model, link = draft.model, draft.model.link
    if link.subscribed:
        return draft
    if (until := _until(model)) > draft.now:
        draft = draft.waking(until)
    if link.asking:
        return draft
    if draft.now < link.again_at:
        return draft.waking(link.again_at)
    task = model.task
    return draft.with_link(asking=True, listed=tuple(u.uuid for u in model.updates)).asking(
        Subscribe(
            tasks=(task.info,) if task is not None and not task.acknowledged else (),
            updates=model.updates,
        )
    )
