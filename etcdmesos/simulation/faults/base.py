"""What a fault is: a small frozen value that says whether it can happen now, and lets it happen.

`pick` chooses among the targets there are, `seconds` is how long it lasts where it ends by itself;
both mean something in any world, so a fault can be replayed, and shrunk, as it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["Fault", "chosen", "registered"]

T = TypeVar("T")

_registered: dict[str, type[Fault]] = {}


@frozen(kw_only=True)
class Fault:
    """Base of all faults.  Subclasses register themselves under their names."""

    name: ClassVar[str] = ""
    pick: int = 0
    seconds: float = 10.0

    def __init_subclass__(cls) -> None:
        # attrs makes each class twice; the second one, with slots, is the one to keep.
        cls.name = cls.__name__
        _registered[cls.name] = cls

    def available(self, world: World) -> bool:
        """Whether it can happen now: there is something to break, and it is not broken yet."""
        raise NotImplementedError

    def inject(self, world: World) -> None:
        """Let it happen."""
        raise NotImplementedError


def registered() -> Mapping[str, type[Fault]]:
    """All faults by name, in the order of their definitions."""
    return _registered


def chosen(targets: Sequence[T], pick: int) -> T:
    """One of the targets."""
    return targets[pick % len(targets)]
