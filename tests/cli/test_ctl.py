"""etcd-mesos-ctl against the admin interface of a real core."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcdmesos.cli import ctl
from etcdmesos.cli.admin_client import NoAnswer, Refused
from etcdmesos.cli.tables import table
from etcdmesos.cluster.events import Disconnected
from etcdmesos.errors import BadUsage
from tests.admin_stand import HOLDER, TOKEN, Scheduler, scheduler
from tests.real_etcd import until

NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def leader() -> Iterator[Scheduler]:
    with scheduler() as running:
        yield running


@pytest.fixture(scope="module")
def standby() -> Iterator[Scheduler]:
    with scheduler(standby=True) as running:
        yield running


def test_status_says_phase_and_why(leader: Scheduler, capsys: pytest.CaptureFixture[str]) -> None:
    """And what else people ask about, in lines that can be read aloud."""
    ctl.run([f"-admin={leader.address}", "status"], {})
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("c: recovering, waits for the Mesos master")
    assert said[1].startswith("3 members wanted, generation 0, epoch 1")


def test_the_holder_is_found_among_several(
    leader: Scheduler, standby: Scheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever of them is down, or stands by."""
    admin = ",".join([NOBODY, standby.address, leader.address])
    ctl.run(["status"], {"ETCD_MESOS_ADMIN": admin})
    assert "as told by" not in capsys.readouterr().out


def test_a_standby_alone_is_named_as_one(
    standby: Scheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it shows is from the record, and it says who holds the cluster."""
    ctl.run(["status", "-admin", standby.address], {})
    said = capsys.readouterr().out
    assert HOLDER in said
    assert "as told by a standby" in said
    with pytest.raises(Refused, match=re.escape(HOLDER)):
        ctl.run(["-admin", standby.address, "forget", "c"], {"ETCD_MESOS_TOKEN": TOKEN})


def test_events_are_lines_in_their_order(
    leader: Scheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mark stands where somebody should look."""
    leader.runtime.post(Disconnected(reason="the master went silent"))

    def told() -> list[str]:
        ctl.run([f"-admin={leader.address}", "events"], {})
        return capsys.readouterr().out.splitlines()

    until(
        lambda: any("! master     disconnected: the master went silent" in line for line in told()),
        "the event is told",
    )
    times = [line.split()[0] for line in told()]
    assert times == sorted(times)


def test_members_are_a_table(leader: Scheduler, capsys: pytest.CaptureFixture[str]) -> None:
    """With nobody in it there are its heads."""
    ctl.run([f"-admin={leader.address}", "members"], {})
    assert capsys.readouterr().out.split() == list(ctl.MEMBERS)


def test_a_table_is_aligned() -> None:
    """Each column as wide as its widest cell; what is empty is a dash."""
    rows = [
        {"name": "etcd-1", "up": True, "alarms": ["NOSPACE", "CORRUPT"]},
        {"name": "etcd-10", "up": False, "alarms": []},
    ]
    assert table(rows, {"NAME": "name", "UP": "up", "ALARMS": "alarms", "X": "x"}).split("\n") == [
        "NAME      UP    ALARMS             X",
        "etcd-1    yes   NOSPACE, CORRUPT   -",
        "etcd-10   no    -                  -",
    ]


@pytest.mark.parametrize("before", [True, False])
def test_the_operators_word_is_carried_with_the_token(
    leader: Scheduler, tmp_path: Path, before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a file or the environment; flags stand where one likes.  A refusal is the scheduler's
    own line."""
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    flags = [f"-token-file={file}", f"-admin={leader.address}"]
    with pytest.raises(Refused, match="Mesos has not removed framework"):
        ctl.run([*flags, "forget", "c"] if before else ["forget", *flags, "c"], {})
    with pytest.raises(Refused, match="the token is wrong"):
        ctl.run(["forget", "c", *flags[1:]], {"ETCD_MESOS_TOKEN": TOKEN + "x"})
    with pytest.raises(BadUsage, match="needs the token"):
        ctl.run(["forget", "c", *flags[1:]], {})
    assert capsys.readouterr().out == ""


def test_a_cluster_is_uninstalled(capsys: pytest.CaptureFixture[str]) -> None:
    """What the scheduler answers is printed."""
    with scheduler() as running:
        environment = {"ETCD_MESOS_TOKEN": TOKEN, "ETCD_MESOS_ADMIN": running.address}
        ctl.run(["uninstall", "c"], environment)
        assert running.runtime.model.record.uninstalling
    assert capsys.readouterr().out.startswith("uninstalls cluster c: ")


def test_nobody_answers() -> None:
    """One line that names every address asked."""
    with pytest.raises(NoAnswer, match=r"127.0.0.1:1 .*; 127.0.0.1:2 "):
        ctl.run(["-admin=127.0.0.1:1,127.0.0.1:2", "status"], {})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            [],
            "restore [SOURCE], backup ACTION, forget NAME, uninstall NAME",
        ),
        (["nonsense"], "give one command of status"),
        (["-admin=nonsense", "status"], "'nonsense' is not host:port"),
        (["-admin=x:0", "status"], "'x:0' is not host:port"),
        (["uninstall"], "NAME"),
        (["uninstall", "a", "b"], "b"),
        (["status", "-token-file=/nonexistent/token"], "openssl rand"),
        (["status", "-no-such-flag"], "no-such-flag"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], says: str) -> None:
    """Before anybody is asked for anything."""
    with pytest.raises(BadUsage) as caught:
        ctl.run(arguments, {})
    assert says in str(caught.value)
