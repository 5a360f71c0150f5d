"""Bad input: one clear line each, exit status 2, nothing left running."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.end_to_end.stand import BIN, LIMIT, Daemon, etcd_binary, processes_below
from tests.free_ports import free_port

GOOD = {
    "master": "127.0.0.1:1",
    "etcd-bin": str(etcd_binary("3.5.30")),
    "executor-bin": str(BIN / "etcd-mesos-executor"),
    "admin-port": "0",
    "artifact-port": "0",
}


def refused(program: str, *arguments: str) -> str:
    """The one line that `program` prints before it ends with status 2."""
    daemon = Daemon(program, *arguments)
    try:
        said = daemon.read_to_the_end()
        assert daemon.process.wait(LIMIT) == 2
    finally:
        daemon.process.kill()
        daemon.end()
    lines = [line for line in said if not line.startswith("at=")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("no-such-flag", "1", "no-such-flag"),
        ("master", "", "-master"),
        ("master", "nonsense:port", "nonsense:port"),
        ("master", "127.0.0.1:99999", "127.0.0.1:99999"),
        ("master", "http://x:5050/", "http://x:5050/"),
        ("cluster-size", "0", "-cluster-size=0"),
        ("cluster-size", "8", "-cluster-size=8"),
        ("cluster-size", "three", "-cluster-size: 'three'"),
        ("etcd-bin", "/nonexistent/etcd", "-etcd-bin"),
        ("etcd-bin", "/etc/passwd", "-etcd-bin=/etc/passwd: cannot be read and run"),
        ("etcd-bin", "/bin/true", "-etcd-bin=/bin/true: is no etcd"),
        ("executor-bin", "/nonexistent/executor", "-executor-bin"),
        ("etcd-option", "name=x", "-etcd-option=name=x"),
        ("etcd-option", "quota-backend-bytes=9999999999999", "quarter"),
        ("sandbox-disk-limit", "-1", "-sandbox-disk-limit"),
        ("admin-port", "70000", "-admin-port"),
        ("zk-framework-persist", "relative/path", "-zk-framework-persist"),
        ("mesos-authentication-secret-file", "/nonexistent", "secret-file"),
    ],
)
def test_a_bad_flag_ends_the_scheduler_with_one_line(flag: str, value: str, says: str) -> None:
    """The line names what was wrong."""
    flags = {**GOOD, flag: value}
    line = refused("etcd-mesos-scheduler", *(f"-{k}={v}" for k, v in flags.items()))
    assert line.startswith("etcd-mesos-scheduler: ")
    assert says in line


@pytest.mark.parametrize("flag", ["admin-port", "artifact-port"])
def test_a_port_in_use_ends_the_scheduler_with_one_line(flag: str) -> None:
    """The line names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = {**GOOD, flag: str(port)}
        line = refused("etcd-mesos-scheduler", *(f"-{k}={v}" for k, v in flags.items()))
    assert str(port) in line


def test_a_port_in_use_ends_the_local_command_with_one_line(tmp_path: Path) -> None:
    """Nothing of it is left running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(
            "etcd-mesos-local", "-mesos-only", f"-master-port={port}", f"-work-dir={tmp_path}/run"
        )
    assert str(port) in line
    assert processes_below(tmp_path) == []


def test_a_folder_that_is_not_ours_is_not_emptied(tmp_path: Path) -> None:
    """-work-dir of something else is refused, and left as it is."""
    (tmp_path / "precious").touch()
    line = refused("etcd-mesos-local", "-mesos-only", f"-work-dir={tmp_path}")
    assert str(tmp_path) in line
    assert (tmp_path / "precious").exists()


def test_a_folder_that_cannot_be_made_is_a_bad_flag() -> None:
    """The line names the flag."""
    line = refused("etcd-mesos-local", "-mesos-only", "-work-dir=/dev/null/x")
    assert line.startswith("etcd-mesos-local: -work-dir=/dev/null/x: ")


def test_the_executor_started_by_hand_says_where_it_belongs() -> None:
    """Outside Mesos it cannot do anything."""
    assert "MESOS_" in refused("etcd-mesos-executor")


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("master", "", "-master is missing"),
        ("master", "http://x:5050/", "http://x:5050/"),
        ("etcd-bin", "/bin/true", "-etcd-bin=/bin/true: is no etcd"),
        ("front", "nginx", "-front=nginx"),
        ("data-dir", "/dev/null/x", "-data-dir=/dev/null/x"),
        ("listen-client-urls", "http://192.0.2.1:2379", "cannot listen at 192.0.2.1:2379"),
    ],
)
def test_a_bad_flag_ends_the_proxy_with_one_line(flag: str, value: str, says: str) -> None:
    """The line names what was wrong."""
    flags = {
        "master": "127.0.0.1:1",
        "etcd-bin": GOOD["etcd-bin"],
        "listen-client-urls": f"http://127.0.0.1:{free_port()}",
        flag: value,
    }
    line = refused("etcd-mesos-proxy", *(f"-{k}={v}" for k, v in flags.items()))
    assert line.startswith("etcd-mesos-proxy: ")
    assert says in line
