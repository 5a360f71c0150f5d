"""What differs between the versions of etcd, each as a question that a version answers.

Every difference was seen on the real thing (the contract tests) or read in etcd's source and
changelogs; the parts that need one ask here and never compare numbers themselves.
"""

from __future__ import annotations

from functools import cached_property

from attrs import frozen

from etcdmesos.simulation.errors import ImpossibleWorld

__all__ = ["Version"]


@frozen(slots=False)
class Version:
    """A release of etcd, 3.4 or later."""

    text: str

    @cached_property
    def numbers(self) -> tuple[int, int, int]:
        """Major, minor, patch."""
        parts = self.text.split(".")
        if len(parts) != 3 or not all(part.isdecimal() for part in parts):
            raise ImpossibleWorld(f"no release of etcd: {self.text!r}")
        major, minor, patch = (int(part) for part in parts)
        if (major, minor) < (3, 4):
            raise ImpossibleWorld(f"etcd {self.text} is older than what is simulated")
        return major, minor, patch

    @property
    def minor(self) -> tuple[int, int]:
        return self.numbers[:2]

    @property
    def pre_vote_by_default(self) -> bool:
        """`--pre-vote` is on by default since 3.5."""
        return self.minor >= (3, 5)

    @property
    def lists_members_linearizably(self) -> bool:
        """MemberList knows `linearizable` since 3.5; before it always answers locally."""
        return self.minor >= (3, 5)

    @property
    def adds_with_a_quorum(self) -> bool:
        """Since 3.5.30 and 3.6.11 an add needs a quorum of the list to come, not every voter."""
        if self.minor == (3, 5):
            return self.numbers >= (3, 5, 30)
        return self.numbers >= (3, 6, 11)

    @property
    def removed_exit_status(self) -> int:
        """The exit status of a member that learns of its removal before it serves."""
        return 0 if self.minor == (3, 4) else 1

    @property
    def learner_gives_snapshots(self) -> bool:
        """3.4 refuses every stream on a learner."""
        return self.minor >= (3, 5)

    @property
    def bumps_revisions(self) -> bool:
        """`snapshot restore --bump-revision` came in 3.4.27 and 3.5.10."""
        if self.minor == (3, 4):
            return self.numbers >= (3, 4, 27)
        return self.numbers >= (3, 5, 10)
