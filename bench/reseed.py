"""Time from the kill -9 of a majority to the first write to the new cluster, beside its floor
measured in the same run.

    python bench/reseed.py [-size 3] [-runs 5] ETCD [ETCD ...]

The floor is the same done by a bare script that knows at once what happened and what to do: a live
snapshot of the survivor, its end, the restore under a new token, a start on that, a write.

Ours is counted to the first write taken by the member that /members announces as the new cluster.
The columns before it tell where the time goes: when the attempt was on record, when the survivor
was to be held (its snapshot saved), when it was to be the seed (etcd stopped, its log read), and
when a write was taken, whether announced or not.

A survivor that led says so for up to 2 s more, and nothing begins before that is over: there is a
table for one that did and one for one that did not.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import stand

from etcdmesos.adapters.etcd_snapshot import LiveSnapshot
from etcdmesos.embedded import running

STAGES = ("measuring", "holding", "seeding")


def main() -> None:
    """Measure and print two tables; exit status 1 when a measurement does not come to its end."""
    for led in (False, True):
        stand.measure(
            "time from the loss of a majority to the first write",
            partial(_title, led),
            ("noticed", "measured", "held", "written", "ours", "floor"),
            partial(_measure, led),
        )


def _title(led: bool, size: int) -> str:
    return f"all but one of {size} members killed; the survivor {'led' if led else 'followed'}"


def _measure(led: bool, etcd: Path, size: int, block: int) -> tuple[float, ...]:
    """Seconds of each column."""
    with tempfile.TemporaryDirectory(prefix="etcd-mesos-bench-") as name:
        folder = Path(name)
        floor = _bare(etcd, size, folder, block)
        options = {"master_port": 0, "agent_port": 0, "agents": size, "first_port": block}
        with running(folder / "mesos", **options) as mesos:
            with stand.scheduler(mesos, etcd, size, folder, block) as admin:
                record = folder / "record" / "etcd-bench" / "record.json"
                return *_reseeded(admin, record, led), floor


def _bare(etcd: Path, size: int, folder: Path, block: int) -> float:
    members = stand.start_bare_cluster(etcd, size, folder, block)
    survivor, *others = members
    url = f"http://127.0.0.1:{survivor.client}"
    stand.until(lambda: _taken("127.0.0.1", survivor.client), "a write before")
    began = time.monotonic()
    for member in others:
        member.kill()
    snapshot = folder / "snapshot.db"
    with LiveSnapshot(url, idle_seconds=5.0, seconds=30.0) as blocks, snapshot.open("wb") as file:
        file.writelines(blocks)
    survivor.process.terminate()
    survivor.process.wait()
    cluster = f"m0=http://127.0.0.1:{survivor.peer}"
    _restore(etcd, snapshot, folder / "m0-again", cluster)
    (folder / "m0").rename(folder / "m0-before")
    (folder / "m0-again").rename(folder / "m0")
    seed = stand.start_bare(etcd, folder, "m0", (survivor.peer, survivor.client), cluster)
    stand.until(lambda: _taken("127.0.0.1", survivor.client), "the bare seed")
    taken = time.monotonic() - began
    seed.kill()
    return taken


def _restore(etcd: Path, snapshot: Path, data: Path, cluster: str) -> None:
    tool = etcd.with_name("etcdutl")
    if not tool.exists():
        tool = etcd.with_name("etcdctl")
    subprocess.run(
        [
            *(str(tool), "snapshot", "restore", str(snapshot)),
            *("--name=m0", f"--data-dir={data}", f"--initial-cluster={cluster}"),
            "--initial-cluster-token=again",
            f"--initial-advertise-peer-urls={cluster.removeprefix('m0=')}",
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "ETCDCTL_API": "3"},
    )


def _taken(host: str, port: int) -> bool:
    """Whether a write is acknowledged at once."""
    coded = base64.b64encode(b"key").decode()
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        body = json.dumps({"key": coded, "value": coded})
        connection.request("POST", "/v3/kv/put", body)
        answer = connection.getresponse()
        return answer.status == 200 and "header" in json.load(answer)
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _reseeded(admin: int, record: Path, led: bool) -> tuple[float, ...]:
    """Kill the executors of all members but one, the leader or another; seconds until each step."""
    stand.until(lambda: stand.get(admin, "/stats").get("phase") == "healthy", "the scheduler")
    members = stand.get(admin, "/stats")["members"]
    survivor = next(member for member in members if member["leader"] is led)
    others = [member for member in members if member is not survivor]
    stand.until(lambda: _taken(survivor["host"], survivor["clientPort"]), "a write before")
    executors = [stand.executor_of(member["sandbox"]) for member in others]
    gone = [member["name"] for member in others]
    reached: dict[str, float] = {}
    began = time.monotonic()
    for executor in executors:
        os.kill(executor, signal.SIGKILL)
    while "announced" not in reached:
        now = time.monotonic() - began
        for step in _steps(record):
            reached.setdefault(step, now)
        if "seeding" in reached and _taken(survivor["host"], survivor["clientPort"]):
            reached.setdefault("written", time.monotonic() - began)
        if "written" in reached and _announced(admin, gone):
            reached.setdefault("announced", time.monotonic() - began)
        if now > stand.LIMIT:
            raise SystemExit(f"bench: no new cluster within {stand.LIMIT:g} s: {reached}")
        time.sleep(stand.POLL)
    return tuple(reached[step] for step in (*STAGES, "written", "announced"))


def _steps(record: Path) -> tuple[str, ...]:
    """The stages that the attempt on record has come to, or has passed."""
    with suppress(OSError, ValueError):
        stored = json.loads(record.read_text())["record"]
        if stored["reseeds"]:
            return STAGES
        if stored["reseed"] is not None:
            return STAGES[: STAGES.index(stored["reseed"]["stage"]) + 1]
    return ()


def _announced(admin: int, gone: list[str]) -> bool:
    """Whether /stats shows the new cluster, which nobody of the past belongs to."""
    members = [member["name"] for member in stand.get(admin, "/stats").get("members", [])]
    return bool(members) and not set(gone) & set(members)


if __name__ == "__main__":
    main()
