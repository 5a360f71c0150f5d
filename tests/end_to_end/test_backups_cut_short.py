"""The scheduler killed with -9 in the middle of a backup that its target holds up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.adapters.backups.peers import TOKEN, UPLOAD_TOKEN, FileServer, file_server
from tests.end_to_end import schedulers
from tests.end_to_end.schedulers import Scheduler
from tests.end_to_end.stand import BIN, until

ADMIN_TOKEN = "a-token-for-the-admin-port-of-this-test"


@define(eq=False)
class Stand:
    """A healthy cluster whose backups go to `server`, and the scheduler that holds it."""

    folder: Path
    mesos: schedulers.Stand
    server: FileServer
    scheduler: Scheduler

    def start(self) -> None:
        """Another scheduler, until it holds a healthy cluster."""
        self.scheduler = _scheduler(self.mesos, self.server, self.folder)
        schedulers.healthy(self.scheduler)

    def backups(self) -> dict[str, Any]:
        """How backups stand; the scheduler may be starting."""
        found: dict[str, Any] = self.scheduler.stats().get("backups") or {}
        return found

    def under_way(self, stage: str) -> None:
        """Ask for a backup, and wait until it is in that stage."""
        self.ask()
        until(lambda: (self.backups().get("under_way") or {}).get("stage") == stage, stage)

    def ask(self) -> None:
        said = self._ctl("now", f"-admin={self.scheduler.admin}", self._token)
        assert said.returncode == 0, said.stderr

    def names(self) -> list[str]:
        """What counts by the target's own word, newest first."""
        said = self._ctl(
            "list",
            f"-backup-url={self.server.url}/etcd",
            f"-backup-credentials-file={self.folder}/credentials",
            "-cluster-name=mycluster",
        )
        assert said.returncode == 0, said.stderr
        return [line.split()[0] for line in said.stdout.splitlines()[1:]]

    @property
    def _token(self) -> str:
        return f"-token-file={self.folder}/token"

    def _ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "etcd-mesos-ctl", "backup", *arguments],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


def _scheduler(mesos: schedulers.Stand, server: FileServer, folder: Path) -> Scheduler:
    return mesos.scheduler(
        f"-admin-token-file={folder}/token",
        f"-backup-url={server.url}/etcd",
        f"-backup-credentials-file={folder}/credentials",
    )


@contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    (folder / "credentials").write_text(f"{TOKEN}\n{UPLOAD_TOKEN}\n")
    (folder / "token").write_text(ADMIN_TOKEN)
    (folder / "token").chmod(0o600)
    with file_server(folder / "server") as server, schedulers.stand(folder) as mesos:
        here = Stand(folder, mesos, server, _scheduler(mesos, server, folder))
        schedulers.healthy(here.scheduler)
        until(lambda: here.backups()["count"] == 1, "the first backup")
        yield here


@pytest.mark.parametrize("stage", ["sending", "counting"])
def test_the_scheduler_is_killed_on_the_way(stage: str, tmp_path: Path) -> None:
    """While the executor sends, or while the target's copy is read back: nothing half is listed,
    the backup before stays, and the next scheduler's counts, beside what was left."""
    with stand(tmp_path) as here:
        [first] = here.names()
        if stage == "sending":
            here.server.faults.stall_after = 0
        else:
            here.server.faults.stall_reading = True
        here.under_way(stage)
        here.scheduler.kill()
        assert here.names() == [first]
        here.server.faults.heal()
        here.start()
        here.ask()
        until(lambda: here.backups()["count"] == 2, "the next backup")
        assert here.backups()["failures_in_a_row"] == 0
        newest, before = here.names()
        assert before == first
        stored = here.server.stored()
        assert {f"{name}.{kind}" for name in (newest, first) for kind in ("db", "json")} <= {
            *stored
        }
        # All of the one that was read back lay there already: too young to be tidied away.
        left = {name for name in stored if name.endswith(".db")} - {f"{newest}.db", f"{first}.db"}
        assert len(left) == (1 if stage == "counting" else 0)
