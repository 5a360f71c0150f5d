"""What this scheduler knows of the restore on record, beside the record: worth nothing to the
next."""

from __future__ import annotations

from attrs import field, frozen

from etcdmesos.cluster.restore.episode import Stage


@frozen(kw_only=True)
class RestoreView:
    """Of the recorded stage."""

    stage: tuple[int, int, Stage] | None = None
    """Attempts, generation and stage that this is about."""
    since: float = 0.0
    """When this scheduler entered it."""
    busy: bool = False
    """A question about the backup is under way."""
    again_at: float = 0.0
    """Not to be asked, or begun, before."""
    url: str = field(default="", repr=False)
    """Where the member fetches it; "" until it is known."""
    order_at: float = 0.0
    """When to tell the member (again)."""
    failure: str = ""
    """What was said when it could not be had."""
