"""The rules for Prometheus that docs/ offers, against what /metrics gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from attrs import evolve

from etcdmesos.backups.retention import Keep
from etcdmesos.cluster.backups.settings import BackupSettings
from etcdmesos.cluster.episode import Reseeded
from etcdmesos.cluster.restore.episode import Restored
from tests.adapters.http.test_metrics import START, scraped
from tests.cluster import backed_up, make

DOCS = Path(__file__).resolve().parents[3] / "docs"
RULES = yaml.safe_load((DOCS / "alerts.yaml").read_text())["groups"][0]["rules"]

TOLD: dict[str, Any] = {
    "at": 3.0,
    "why": "it was lost",
    "member": "etcd-1",
    "revision": 70,
    "bump": 0,
    "highest_revision": 71,
    "by_operator": False,
    "past": (),
}
RESEEDED = Reseeded(generation=2, proven=False, **TOLD)
RESTORED = Restored(generation=3, source="latest", taken_at=2.0, **TOLD)
BACKUPS = BackupSettings(target="file:///b", tool="t", interval=60.0, keep=Keep.parse("48"))
WENT_THROUGH_EVERYTHING = evolve(
    START,
    settings=evolve(START.settings, backups=BACKUPS),
    backups=evolve(START.backups, catalogue=backed_up.catalogue(ages=(0.0,))),
    record=evolve(
        START.record,
        members=(make.member(1, "a"),),
        reseeds=(RESEEDED,),
        restores=(RESTORED,),
    ),
)


@pytest.mark.parametrize("file", ["alerts.yaml", "operating.md", "backups.md", "reseeding.md"])
def test_what_documents_alert_on_is_there(file: str) -> None:
    """A rule on a name that nobody exports never fires; nor does one on another label."""
    known = scraped(WENT_THROUGH_EVERYTHING)
    names = {sample.partition(",")[0] for sample in known} | {"etcd_mesos_member_db_bytes"}
    text = (DOCS / file).read_text()
    alerted = re.findall(r'(etcd_mesos_\w+)(?:\{(\w+)="?(\w+)"?\})?', text)
    assert alerted or file == "reseeding.md"
    for name, label, value in alerted:
        # A name that ends so stands for all that begin so.
        assert any(one.startswith(name) if name.endswith("_") else one == name for one in names)
        assert not label or f"{name},{label}={value}" in known


def test_every_rule_says_how_urgent_it_is_and_what_to_do() -> None:
    """Somebody is woken by it."""
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "action"}
        assert "by (job)" in rule["expr"]
