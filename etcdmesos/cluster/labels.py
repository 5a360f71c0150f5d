"""A member as its task's labels tell it: public, kept by the master, enough to know it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Self

from attrs import frozen

from etcdmesos.cluster.record import Member, Record, Role, Step

PREFIX = "etcd-mesos/"


def labels_of(member: Member, record: Record) -> tuple[tuple[str, str], ...]:
    """The labels of `member`'s task, as (key, value)."""
    texts = {
        "cluster": record.cluster_name,
        "member": member.name,
        "generation": str(member.generation),
        "epoch": str(record.epoch),
        "token": record.token_of(member.generation),
        "initial-state": member.initial_state,
        "scheme": member.scheme,
        "host": member.host,
        "peer-port": str(member.peer_port),
        "client-port": str(member.client_port),
        "hostname": member.hostname,
        "region": member.region,
        "zone": member.zone,
        "attributes": json.dumps(dict(member.attributes), sort_keys=True),
        "artifact": member.artifact,
    }
    return tuple((PREFIX + key, text) for key, text in texts.items())


@frozen(kw_only=True)
class Labels:
    """The labels of a task of one of our members, as they were read."""

    texts: Mapping[str, str]

    @classmethod
    def of(cls, labels: Mapping[str, str], cluster_name: str, framework_id: str) -> Self | None:
        """Those of a task of this cluster and framework; None for any other's."""
        texts = {k.removeprefix(PREFIX): v for k, v in labels.items() if k.startswith(PREFIX)}
        read = cls(texts=texts)
        try:
            token = f"{cluster_name}-{framework_id}-{read.generation}"
            read.member()
        except (KeyError, ValueError, AttributeError):
            return None
        ours = (texts.get("cluster"), texts.get("token")) == (cluster_name, token)
        return read if ours else None

    @property
    def number(self) -> int:
        return int(self.texts["member"].removeprefix("etcd-"))

    @property
    def generation(self) -> int:
        return int(self.texts["generation"])

    @property
    def epoch(self) -> int:
        return int(self.texts["epoch"])

    @property
    def peer_url(self) -> str:
        return self.member().peer_url

    @property
    def client_url(self) -> str:
        return self.member().client_url

    def member(self) -> Member:
        """The member, as far as labels know it.  Raises KeyError or ValueError when they do not."""
        texts = self.texts
        if self.number < 1 or self.epoch < 0:
            raise ValueError("no number of a member, or no epoch")
        attributes = json.loads(texts["attributes"])
        return Member(
            name=texts["member"],
            generation=self.generation,
            role=Role.VOTER,
            step=Step.LAUNCHING,
            initial_state=texts["initial-state"],
            scheme=texts["scheme"],
            host=texts["host"],
            peer_port=int(texts["peer-port"]),
            client_port=int(texts["client-port"]),
            agent_id="",
            hostname=texts["hostname"],
            region=texts["region"],
            zone=texts["zone"],
            attributes={str(k): str(v) for k, v in attributes.items()},
            artifact=texts["artifact"],
        )
