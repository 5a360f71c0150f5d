"""The flags of backups, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcdmesos.backups.retention import Keep
from etcdmesos.backups.source import Source
from etcdmesos.cli import backup_flags, ctl
from etcdmesos.cli import scheduler_flags as flags
from etcdmesos.cluster.restore.settings import RestoreSettings
from etcdmesos.errors import BadUsage


def settings(*arguments: str) -> object:
    values = flags.parse(["-master=m:5050", *arguments], {})
    return backup_flags.settings(values)


def test_without_an_address_none_are_taken() -> None:
    assert settings() is None


def test_what_is_said_is_what_the_core_is_told(tmp_path: Path) -> None:
    """But for the secrets, which it does not need."""
    (tmp_path / "s3").write_text("KEY:planted\n")
    found = settings(
        "-backup-url=s3://bucket/x/",
        f"-backup-credentials-file={tmp_path}/s3",
        "-backup-interval=600",
        "-backup-keep=3,2d",
    )
    assert "planted" not in repr(found)
    assert getattr(found, "target", "") == "s3://bucket/x"
    assert getattr(found, "interval", 0) == 600
    assert getattr(found, "keep", None) == Keep(count=3, seconds=172800.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-backup-url=ftp://x"], "-backup-url: must begin with"),
        (["-backup-url=https://a:planted@x"], "-backup-url: holds credentials"),
        (["-backup-url=s3://b", "-backup-credentials-file=/nowhere"], "=/nowhere: No such file"),
        (["-backup-url=s3://b", "-backup-s3-endpoint=minio:9000"], "-backup-s3-endpoint: must be"),
        (["-backup-interval=1"], "-backup-interval must be at least 60"),
        (["-backup-keep=0"], "the newest backup is always kept"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: list[str], says: str) -> None:
    with pytest.raises(BadUsage) as caught:
        settings(*arguments)
    assert says in str(caught.value)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["backup", "burn"], "must be one of list, now, verify, fetch"),
        (["backup", "now"], "this needs the token"),
        (["backup", "verify"], "give -backup-url"),
        (["backup", "verify", "-backup-url=file:///x", "-backup=y"], "is no name of a backup"),
        (["backup", "fetch", "-backup-url=file:///x"], "-to=FILE"),
    ],
)
def test_what_ctl_cannot_do_is_refused_in_one_line(arguments: list[str], says: str) -> None:
    with pytest.raises(BadUsage) as caught:
        ctl.run(arguments, {})
    assert says in str(caught.value)


def restoring(*arguments: str) -> RestoreSettings:
    return backup_flags.restore_settings(flags.parse(["-master=m:5050", *arguments], {}))


def test_nothing_is_restored_without_being_asked() -> None:
    assert restoring() == RestoreSettings()


def test_what_is_restored_is_what_the_core_is_told() -> None:
    found = restoring("-backup-url=s3://b", "-restore-from=latest", "-restore-older")
    assert (found.source, found.older, found.automatic) == (Source(), True, False)
    assert restoring("-restore-from=file:///srv/x").source == Source(path="/srv/x")
    assert restoring("-backup-url=s3://b", "-restore-policy=auto").automatic


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-restore-from=latest"], "-restore-from=latest: is no file:///path, and without"),
        (["-backup-url=s3://b", "-restore-from=x"], "-restore-from=x: is neither latest nor"),
        (["-restore-policy=auto"], "-restore-policy=auto needs -backup-url"),
        (["-restore-policy=never"], "'never' is neither auto nor manual"),
    ],
)
def test_what_cannot_be_restored_is_refused_in_one_line(arguments: list[str], says: str) -> None:
    with pytest.raises(BadUsage) as caught:
        restoring(*arguments)
    assert says in str(caught.value)
