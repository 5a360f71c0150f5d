"""A cluster as its clients need to know it."""

from __future__ import annotations

from typing import Self

from attrs import frozen

from etcdmesos.etcd.member_list import MemberList


@frozen(kw_only=True)
class Voter:
    """A started voter, as etcd's member list has it."""

    id: str
    """etcd's, 16 hex digits."""
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    """At least one."""


@frozen(kw_only=True)
class Cluster:
    """The started voters of one cluster id, as a quorum of them had it at one moment."""

    cluster_id: str
    """etcd's, 16 hex digits; another one is another cluster, with other data."""
    voters: tuple[Voter, ...]
    """In the order of their ids; at least one."""

    @classmethod
    def of(cls, listing: MemberList) -> Self:
        """The cluster of a member list.  A learner is no endpoint (it refuses most requests), and
        what was never started has no name."""
        return cls(
            cluster_id=listing.cluster_id,
            voters=tuple(
                Voter(
                    id=entry.id,
                    name=entry.name,
                    peer_urls=entry.peer_urls,
                    client_urls=entry.client_urls,
                )
                for entry in listing.members
                if entry.name and entry.client_urls and not entry.learner
            ),
        )

    @property
    def client_urls(self) -> tuple[str, ...]:
        """Of all voters, such as `http://10.0.0.1:31001`."""
        return tuple(url for voter in self.voters for url in voter.client_urls)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """`host:port` of all voters, as etcdctl's --endpoints takes them."""
        return tuple(url.partition("://")[2].rstrip("/") for url in self.client_urls)
