"""An offer of one agent's resources, as the master sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from etcdmesos.mesos.resources import Json, Resource


@frozen(kw_only=True)
class Offer:
    """One offer.  `attributes` are the agent's, as text; `region` and `zone` are "" if it names
    none."""

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
            attributes={a["name"]: _attribute_text(a) for a in data.get("attributes", [])},
            region=domain.get("region", {}).get("name", ""),
            zone=domain.get("zone", {}).get("name", ""),
        )


def _attribute_text(attribute: Mapping[str, Any]) -> str:
    """An attribute's value as Marathon's constraints read it: text, number, or ranges
    `[1-2,5-9]`."""
    kind = attribute.get("type")
    if kind == "SCALAR":
        return f"{float(attribute['scalar']['value']):g}"
    if kind == "RANGES":
        ranges = attribute["ranges"].get("range", [])
        return "[" + ",".join(f"{r['begin']}-{r['end']}" for r in ranges) + "]"
    if kind == "SET":
        return "{" + ",".join(attribute["set"].get("item", [])) + "}"
    return str(attribute.get("text", {}).get("value", ""))
