"""An offer of one agent's resources, as the master sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from etcdmesos.mesos.resources import Json, Resource


@frozen(kw_only=True)
class Offer:
    """One offer.  `attributes` are the agent's, as text, the first of each name; `region` and
    `zone` are those of its fault domain, "" if it names none."""

    id: str
    agent_id: str
    hostname: str
    address: str
    resources: tuple[Resource, ...]
    attributes: Mapping[str, str]
    region: str = ""
    zone: str = ""

    @classmethod
    def from_json(cls, data: Json) -> Offer:
        """From the v1 API's Offer.  Raises KeyError, TypeError or ValueError on anything else."""
        hostname = str(data["hostname"])
        domain = data.get("domain", {}).get("fault_domain", {})
        return cls(
            id=data["id"]["value"],
            agent_id=data["agent_id"]["value"],
            hostname=hostname,
            address=str(data.get("url", {}).get("address", {}).get("ip") or hostname),
            resources=tuple(Resource.from_json(r) for r in data.get("resources", [])),
            attributes={
                # Of one name twice, Marathon reads the first.
                a["name"]: _attribute_text(a)
                for a in reversed(data.get("attributes", []))
            },
            region=domain.get("region", {}).get("name", ""),
            zone=domain.get("zone", {}).get("name", ""),
        )


def _attribute_text(attribute: Mapping[str, Any]) -> str:
    """An attribute's value as Marathon's constraints read it, which is how Mesos writes it: text,
    a number with at most three decimals, ranges `[1-2,5-9]` or a set `{a,b}`, both sorted."""
    kind = attribute.get("type")
    if kind == "SCALAR":
        return f"{float(attribute['scalar']['value']):.3f}".rstrip("0").rstrip(".")
    if kind == "RANGES":
        ranges = attribute["ranges"].get("range", [])
        pairs = sorted((int(r["begin"]), int(r["end"])) for r in ranges)
        return "[" + ",".join(f"{begin}-{end}" for begin, end in pairs) + "]"
    if kind == "SET":
        return "{" + ",".join(sorted(attribute["set"].get("item", []))) + "}"
    return str(attribute.get("text", {}).get("value", ""))
