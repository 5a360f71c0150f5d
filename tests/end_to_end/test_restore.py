"""Clusters made from backups: one that was lost entirely, and new ones.

What was in the backup is there afterwards, every key and every lease, under a new cluster id and
beyond every revision that was given out before.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.adapters.backups.peers import TOKEN, UPLOAD_TOKEN, file_server
from tests.end_to_end.acknowledged import call, coded, keys, put
from tests.end_to_end.schedulers import VERSION, Scheduler, Stand, healthy, listed, seen, stand
from tests.end_to_end.stand import BIN, etcd_binary, executor_process, get, until

ADMIN_TOKEN = "a-token-for-the-admin-port-of-this-test"
BUMP = 1_000_000_000
COUNT = 20


@define(eq=False)
class Restores:
    """A cluster with data, and where its backups go."""

    stand: Stand
    flags: tuple[str, ...]
    scheduler: Scheduler
    written: dict[str, str]
    lease: str
    highest: int

    def ctl(self, *words: str, status: int = 0) -> str:
        """What etcd-mesos-ctl prints; on stderr when it fails."""
        done = subprocess.run(
            [
                str(BIN / "etcd-mesos-ctl"),
                f"-admin={self.scheduler.admin}",
                f"-token-file={self.stand.folder}/token",
                *words,
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr if status else done.stdout

    def backed_up(self) -> str:
        """The name of one more backup that counts, begun by now at the earliest: the first one is
        taken unasked, and perhaps while the keys are being written."""
        until(lambda: self.scheduler.stats()["backups"]["count"], "the first backup counts")
        count = self.scheduler.stats()["backups"]["count"]
        self.ctl("backup", "now")
        until(lambda: self.scheduler.stats()["backups"]["count"] > count, "a backup counts")
        return str(self.scheduler.stats()["backups"]["newest"]["name"])

    def end_all(self) -> None:
        """kill -9 of all executors, all at once; their etcds end with them."""
        names = [member["name"] for member in self.scheduler.stats()["members"]]
        for pid in [executor_process(self.stand.folder, name) for name in names]:
            os.kill(pid, signal.SIGKILL)

    def lose(self) -> None:
        """The same, noticed."""
        self.end_all()
        until(lambda: self.scheduler.stats()["phase"] == "lost", "lost", 0.02)

    def has_reached(self, stage: str) -> bool:
        """Whether the restore on record is at that stage, or over: the stage may pass unseen."""
        record = self.stand.record()
        restore = record["restore"]
        return bool(record["restores"]) or (restore is not None and restore["stage"] == stage)

    def restored(self, before: dict[str, Any]) -> dict[str, Any]:
        """What is told of it, once the cluster is whole again; what it must be like."""
        after = healthy(self.scheduler)
        told: dict[str, Any] = after["restores"][-1]
        assert after["cluster_id"] not in ("", before["cluster_id"])
        assert told["generation"] == after["generation"] > before["generation"]
        assert not {m["name"] for m in after["members"]} & {m["name"] for m in before["members"]}
        self.holds_everything(after["members"][0]["clientURL"], told)
        return told

    def holds_everything(self, url: str, told: dict[str, Any]) -> None:
        assert keys(url, "key-") == self.written
        lease = call(url, "/v3/lease/timetolive", {"ID": self.lease, "keys": True})
        assert int(lease["TTL"]) > 0
        assert lease["keys"] == [coded("key-0")]
        first = put(url, "first", "write")
        assert first > (self.highest if told["bump"] else told["revision"])


@contextmanager
def restores(
    folder: Path, target: str, size: int = 3, version: str = VERSION, *flags: str
) -> Iterator[Restores]:
    """A healthy cluster with keys, one of them under a lease, and no backup of them yet."""
    (folder / "token").write_text(ADMIN_TOKEN)
    (folder / "token").chmod(0o600)
    given = (
        f"-cluster-size={size}",
        f"-etcd-bin={etcd_binary(version)}",
        f"-admin-token-file={folder}/token",
        f"-backup-url={target}",
        *flags,
    )
    with stand(folder) as made:
        scheduler = made.scheduler(*given)
        urls = [member["clientURL"] for member in healthy(scheduler)["members"]]
        url = urls[0]
        lease = call(url, "/v3/lease/grant", {"TTL": 3600})["ID"]
        written = {f"key-{n}": f"value-{n}" for n in range(COUNT)}
        body = {"key": coded("key-0"), "value": coded("value-0"), "lease": lease}
        call(url, "/v3/kv/put", body)
        highest = max(put(url, key, value) for key, value in written.items() if key != "key-0")
        # A member that merely follows may be behind, and so may its snapshot be.
        assert all(keys(one, "key-") == written for one in urls)
        yield Restores(made, given, scheduler, written, lease, highest)


def test_a_lost_cluster_is_restored(tmp_path: Path) -> None:
    """Only when it is lost, from an HTTP server that wants credentials; the dry run says what will
    be, the history what was, and no secret or address shows anywhere."""
    (tmp_path / "credentials").write_text(f"{TOKEN}\n{UPLOAD_TOKEN}\n")
    with (
        file_server(tmp_path / "server") as server,
        restores(
            tmp_path,
            f"{server.url}/etcd",
            3,
            "3.4.23",
            f"-backup-credentials-file={tmp_path}/credentials",
        ) as here,
    ):
        name = here.backed_up()
        assert "only a cluster that is lost is restored" in here.ctl("restore", status=1)
        before = here.scheduler.stats()
        here.lose()
        thought = here.ctl("restore", "-dry-run=true")
        assert name in thought
        assert "clients see some twice" in thought  # 3.4.23 cannot raise revisions
        assert "restores from latest" in here.ctl("restore")
        told = here.restored(before)
        assert (told["source"], told["bump"], told["by_operator"]) == (name, 0, True)
        assert len(told["past"]) == 3
        assert f"restored from {name}" in here.ctl("events")
        nothing_secret(here)


def nothing_secret(here: Restores) -> None:
    """Credentials never leave the scheduler, and the address of the snapshot only in a message."""
    shown = {
        "the master's state": get(here.stand.master, "/state")[1],
        "stats": json.dumps(here.scheduler.stats()),
        "events": here.ctl("events"),
        "record": here.stand.file.read_text(),
        "output": "\n".join(here.scheduler.daemon.drain()),
    }
    for log in (here.stand.folder / "run").rglob("*.log"):
        shown[str(log)] = log.read_text(errors="replace")
    for word in (TOKEN.split()[-1], UPLOAD_TOKEN.split()[-1], "/restore/"):
        assert [where for where, text in shown.items() if word in text] == []


def test_a_damaged_newest_backup_is_refused_by_its_name(tmp_path: Path) -> None:
    """The one before it is used only when that is allowed; schedulers that are killed on the way
    change nothing of what comes of it."""
    with restores(tmp_path, f"file://{tmp_path}/backups", 1) as here:
        good = here.backed_up()
        newest = here.backed_up()
        damage(tmp_path / "backups" / "mycluster" / f"{newest}.db")
        before = here.scheduler.stats()
        here.lose()
        here.ctl("restore")
        until(lambda: newest in here.scheduler.stats()["why"], "it is refused")
        said = here.scheduler.stats()
        assert said["phase"] == "lost"
        assert "is damaged" in said["why"]
        assert "the one before it is restored only when it is named" in said["why"]
        here.ctl("restore", "-older=true")
        for stage in ("fetching", "seeding"):
            seen(partial(here.has_reached, stage), stage)
            here.scheduler.kill()
            here.scheduler = here.stand.scheduler(*here.flags)
        told = here.restored(before)
        assert told["source"] == good
        assert told["bump"] >= BUMP
        assert listed(here.stand, here.scheduler) == [told["member"]]


def damage(snapshot: Path) -> None:
    """One byte is another."""
    content = bytearray(snapshot.read_bytes())
    content[len(content) // 2] ^= 1
    snapshot.write_bytes(content)


def test_new_clusters_are_made_from_what_there_is(tmp_path: Path) -> None:
    """The newest backup, a snapshot file, and a data directory saved from a sandbox; once, and
    never when it is damaged."""
    with restores(tmp_path, f"file://{tmp_path}/backups", 1) as here:
        here.backed_up()
        saved = saved_from(here, tmp_path)
        for number, source in enumerate(("latest", *(f"file://{path}" for path in saved)), 2):
            flags = (*here.flags, *another(tmp_path, number), f"-restore-from={source}")
            scheduler = here.stand.scheduler(*flags, artifact_port=0)
            said = healthy(scheduler)
            told = said["restores"][-1]
            here.holds_everything(said["members"][0]["clientURL"], told)
            assert told["source"].removeprefix("file://") in (*map(str, saved), newest(here))
            scheduler.kill()
        again = here.stand.scheduler(*flags, artifact_port=0)
        healthy(again)
        events = get(again.admin, "/events")[1]
        assert "restores nothing in this cluster" in events
        damage(saved[0])
        bad = here.stand.scheduler(
            *here.flags,
            *another(tmp_path, 9),
            f"-restore-from=file://{saved[0]}",
            artifact_port=0,
        )
        until(lambda: "does not bootstrap empty" in bad.stats()["why"], "it is refused")
        assert str(saved[0]) in bad.stats()["why"]
        assert bad.stats()["members"] == []


def newest(here: Restores) -> str:
    return str(here.scheduler.stats()["backups"]["newest"]["name"])


def another(folder: Path, number: int) -> tuple[str, ...]:
    """A framework of its own, whose cluster has the same name."""
    return (f"-framework-name=f-{number}", f"-zk-framework-persist=file://{folder}/record-{number}")


def saved_from(here: Restores, folder: Path) -> tuple[Path, Path]:
    """A snapshot, and a copy of the data directory, as an operator would save them."""
    [member] = here.scheduler.stats()["members"]
    snapshot, data = folder / "snapshot.db", folder / "saved-data"
    tool = etcd_binary(VERSION, "etcdctl")
    command = [str(tool), f"--endpoints={member['clientURL']}", "snapshot", "save", str(snapshot)]
    subprocess.run(command, capture_output=True, timeout=90, check=True)
    pid = executor_process(here.stand.folder, member["name"])
    shutil.copytree(Path(os.readlink(f"/proc/{pid}/cwd")) / "data" / member["name"], data)
    return snapshot, data


@pytest.mark.long
def test_a_lost_cluster_is_restored_without_being_asked(tmp_path: Path) -> None:
    """-restore-policy=auto: from loss to health without a word."""
    with restores(
        tmp_path, f"file://{tmp_path}/backups", 3, VERSION, "-restore-policy=auto"
    ) as here:
        name = here.backed_up()
        before = here.scheduler.stats()
        here.end_all()
        until(lambda: here.scheduler.stats()["restores"], "restored")
        assert here.restored(before)["source"] == name
