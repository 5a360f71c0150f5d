"""What the scheduler is told: every bad value is refused in one line, nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etcdmesos.cli import scheduler_flags as flags
from etcdmesos.cluster.settings import Artifacts, Errand, Settings
from etcdmesos.errors import BadUsage

MASTER = "-master=127.0.0.1:5050"
ARTIFACTS = Artifacts(executor_uri="http://x/e", etcd_uri="http://x/d", etcd_sha256="ab")
MIB = 1024 * 1024


def parse(*arguments: str, **environment: str) -> dict[str, Any]:
    return flags.parse([MASTER, *arguments], environment)


def settings(*arguments: str) -> Settings:
    return flags.settings(parse(*arguments), ARTIFACTS)


def refused(*arguments: str) -> str:
    """The one line that refuses `arguments`."""
    with pytest.raises(BadUsage) as caught:
        settings(*arguments)
    line = str(caught.value)
    assert line
    assert "\n" not in line
    return line


def test_the_seeds_own_invocation() -> None:
    """The command of the seed's README is understood as it stands."""
    values = flags.parse(
        [
            "-log_dir=/var/log/etcd-mesos",
            "-master=127.0.0.1:5050",
            "-cluster-name=mycluster",
            "-cluster-size=3",
            "-executor-bin=/x/etcd-mesos-executor",
            "-etcd-bin=/x/etcd",
        ],
        {},
    )
    assert values["framework_name"] == "etcd-mycluster"
    assert values["executor_bin"] == "/x/etcd-mesos-executor"
    made = flags.settings(values, ARTIFACTS)
    assert (made.cluster_name, made.framework_name, made.cluster_size) == (
        "mycluster",
        "etcd-mycluster",
        3,
    )


def test_the_documented_defaults() -> None:
    """The defaults that design and original promise."""
    values = parse()
    assert (values["admin_port"], values["artifact_port"]) == (23400, 12300)
    assert values["failover_timeout_seconds"] == 7 * 24 * 3600
    assert values["mesos_offer_refuse_seconds"] == 15
    made = flags.settings(values, ARTIFACTS)
    assert (made.cluster_size, made.single_instance_per_agent, made.refuse) == (3, True, 15)


def test_a_framework_name_of_its_own() -> None:
    """-framework-name overrides the one made from the cluster's."""
    assert settings("-cluster-name=x", "-framework-name=y").framework_name == "y"


@pytest.mark.parametrize("flag", ["cluster-name", "framework-name"])
@pytest.mark.parametrize("name", ["a/b", "../../etc", "a b", "a\nb", ".", "-x", "a" * 201])
def test_a_name_that_would_be_a_path_or_a_line_of_its_own(flag: str, name: str) -> None:
    """Names become folders, znodes, addresses and etcd's flags."""
    line = refused(f"-{flag}={name}")
    assert line.startswith(f"-{flag}")
    assert len(line) < 300


@pytest.mark.parametrize("master", ["nonsense:port", "127.0.0.1:99999", "https://x:5050", "a/b"])
def test_a_master_that_is_no_address(master: str) -> None:
    """It is said of which flag, before anything is started."""
    assert refused(f"-master={master}").startswith("-master: ")


@pytest.mark.parametrize("link", ["foo", "javascript:alert(1)", "ftp://x"])
def test_a_link_that_is_no_web_address(link: str) -> None:
    """Mesos shows it to people, who click on it."""
    assert "-framework-weburi" in refused(f"-framework-weburi={link}")


@pytest.mark.parametrize(
    "flags",
    [
        ("-mesos-authentication-principal=p", "-mesos-authentication-secret-file={}"),
        ("-zk-framework-persist=zk://h:1/x", "-zk-authentication-file={}"),
        ("-backup-url=s3://b/p", "-backup-credentials-file={}"),
    ],
)
@pytest.mark.parametrize("content", ["", " \n\n"])
def test_a_file_of_secrets_that_is_empty(
    flags: tuple[str, ...], content: str, tmp_path: Path
) -> None:
    """Going on without any proof of who we are is not what was asked for."""
    path = tmp_path / "secret"
    path.write_text(content)
    assert f"{path}: is empty" in refused(*(flag.format(path) for flag in flags))


def test_the_user_is_the_present_one() -> None:
    """Tasks run as the user who starts the scheduler, unless told otherwise."""
    assert parse()["mesos_user"]
    assert parse("-mesos-user=nobody")["mesos_user"] == "nobody"


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("-cluster-size=0", "-cluster-size=0: must be 1 to 7"),
        ("-cluster-size=8", "-cluster-size=8: must be 1 to 7"),
        ("-cluster-size=-3", "-cluster-size=-3: must be 1 to 7"),
        ("-cluster-size=three", "-cluster-size"),
        ("-cluster-name=", "-cluster-name"),
        ("-cluster-name=a b", "-cluster-name=a b: use letters"),
        ("-cluster-name=a/b", "-cluster-name"),
        ("-cluster-name=-a", "-cluster-name"),
        ("-cluster-name=a\n", "-cluster-name"),
        ("-master=", "-master is missing"),
        ("-uninstall=other", "-uninstall=other, but -cluster-name="),
        ("-forget-cluster=other", "-forget-cluster=other, but -cluster-name="),
        ("-master=zk://h:2181", "-master: a path other than /"),
        ("-zk-framework-persist=zk://h:x/p", "-zk-framework-persist: each server"),
        ("-zk-session-timeout-seconds=0.5", "-zk-session-timeout-seconds must be at least 1"),
        ("-zk-authentication-file=/nowhere", "-zk-authentication-file=/nowhere: No such file"),
        ("-sandbox-cpu-limit=0", "-sandbox-cpu-limit must be more than"),
        ("-sandbox-cpu-limit=0.1", "-sandbox-cpu-limit must be more than 0.1"),
        ("-sandbox-mem-limit=-1", "-sandbox-mem-limit must be more than"),
        ("-sandbox-mem-limit=64", "-sandbox-mem-limit must be more than 64"),
        ("-sandbox-disk-limit=0", "-sandbox-disk-limit must be more than"),
        ("-sandbox-disk-limit=0.000001", "-sandbox-disk-limit"),
        ("-sandbox-disk-limit=nan", "-sandbox-disk-limit"),
        ("-failover-timeout-seconds=-1", "-failover-timeout-seconds must not be negative"),
        ("-mesos-offer-refuse-seconds=-1", "-mesos-offer-refuse-seconds must not be negative"),
        ("-probe-interval-seconds=0", "-probe-interval-seconds must be at least 0.1"),
        ("-admin-port=65536", "-admin-port must be 0 to 65535"),
        ("-admin-port=-1", "-admin-port must be 0 to 65535"),
        ("-artifact-port=x", "-artifact-port"),
        ("-single-instance-per-slave=perhaps", "-single-instance-per-slave"),
        ("-no-such-flag=1", "-no-such-flag"),
        ("-mesos-authentication-secret-file=/nowhere", "needs -mesos-authentication-principal"),
        ("-etcd-option=", "-etcd-option=: must be NAME=VALUE"),
        ("-etcd-option=snapshot-count", "must be NAME=VALUE"),
        ("-etcd-option==5", "must be NAME=VALUE"),
        ("-etcd-option=quota-backend-bytes=0", "must be 1 to"),
        ("-etcd-option=quota-backend-bytes=-5", "must be 1 to"),
        ("-etcd-option=quota-backend-bytes=2GB", "must be 1 to"),
        ("-etcd-option=quota-backend-bytes=²", "must be 1 to"),
        ("-etcd-option=quota-backend-bytes=", "must be 1 to"),
    ],
)
def test_a_bad_value_is_one_line(argument: str, said: str) -> None:
    """Each bad value is refused before anything starts, with the flag's name."""
    assert said in refused(argument)


def test_one_errand_at_a_time() -> None:
    """The operator's word is said for one thing; and it names the cluster as -cluster-name does."""
    assert "give one of them" in refused("-cluster-name=x", "-uninstall=x", "-rebuild-record")
    assert settings().errand is Errand.RUN
    assert settings("-rebuild-record").errand is Errand.REBUILD
    assert settings("-cluster-name=x", "-uninstall=x").errand is Errand.UNINSTALL
    assert settings("-forget-cluster=default").errand is Errand.FORGET


def test_no_master() -> None:
    """There is no default master."""
    with pytest.raises(BadUsage, match="-master is missing"):
        flags.parse([], {})


@pytest.mark.parametrize(
    "name",
    [
        "name",
        "data-dir",
        "wal-dir",
        "initial-cluster",
        "initial-cluster-state",
        "initial-cluster-token",
        "initial-advertise-peer-urls",
        "listen-peer-urls",
        "listen-client-urls",
        "listen-metrics-urls",
        "advertise-client-urls",
        "discovery",
        "discovery-srv",
        "force-new-cluster",
        "proxy",
        "config-file",
        "cert-file",
        "client-cert-auth",
        "peer-cert-file",
        "peer-auto-tls",
        "strict-reconfig-check",
        "logger",
        "log-outputs",
    ],
)
@pytest.mark.parametrize("dashes", ["", "-", "--"])
def test_options_that_are_ours(name: str, dashes: str) -> None:
    """Identity, URLs, data directory and cluster are set by the framework, however spelt."""
    assert f"{name} is set by the framework" in refused(f"-etcd-option={dashes}{name}=x")


def test_other_options_reach_etcd() -> None:
    """What is the operator's business is handed on, in order, with two dashes."""
    made = settings("-etcd-option=snapshot-count=5000", "-etcd-option=--heartbeat-interval=50")
    assert made.etcd_options == ("--snapshot-count=5000", "--heartbeat-interval=50")


@pytest.mark.parametrize(
    ("disk", "quota"),
    [(4096, 1024 * MIB), (100, 25 * MIB), (8192, 2048 * MIB), (100_000, 2048 * MIB)],
)
def test_the_quota_leaves_room_for_a_reseed(disk: int, quota: int) -> None:
    """By default a quarter of the disk limit, and no more than etcd's own default."""
    assert settings(f"-sandbox-disk-limit={disk}").quota_bytes == quota


def test_a_quota_of_ones_own() -> None:
    """The operator may ask for up to a quarter of the disk limit, and not for a byte more."""
    most = 1024 * MIB
    option = "-etcd-option=quota-backend-bytes="
    assert settings(f"{option}{most}").quota_bytes == most
    assert settings(f"{option}{most}").etcd_options == ()
    assert f"must be 1 to {most}" in refused(f"{option}{most + 1}")
    assert settings(f"{option}{4096 * MIB}", "-sandbox-disk-limit=16384").quota_bytes == 4096 * MIB


def test_the_secret_comes_from_a_file(tmp_path: Path) -> None:
    """The secret is read from its file, without the newline at its end, and is on no command
    line."""
    file = tmp_path / "secret"
    file.write_text("hush\n")
    values = parse("-mesos-authentication-principal=p", f"-mesos-authentication-secret-file={file}")
    assert values["secret"] == "hush"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_bad_secret_file_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    """A secret file that is not there, or is no text, is refused by name; nothing of it is
    shown."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    line = refused("-mesos-authentication-principal=p", f"-mesos-authentication-secret-file={file}")
    assert str(file) in line


def test_an_even_size_is_allowed_and_warned_of() -> None:
    """Four members survive no more failures than three; that is said, in one line."""
    (line,) = flags.warnings(parse("-cluster-size=4", "-zk-framework-persist=file:///x"))
    assert "-cluster-size=4 is even: it survives 1 failures, as 3 would" in line
    assert flags.warnings(parse("-cluster-size=5", "-zk-framework-persist=file:///x")) == []


def test_a_record_in_memory_is_warned_of_once() -> None:
    """Without a place for the record a restart orphans the tasks: one warning."""
    (line,) = flags.warnings(parse())
    assert "-zk-framework-persist" in line


def test_the_environment_sets_them_all() -> None:
    """Every flag can come from the environment."""
    values = flags.parse(
        [],
        {"ETCD_MESOS_MASTER": "m:1", "ETCD_MESOS_CLUSTER_NAME": "env", "ETCD_MESOS_LOG_DIR": "/l"},
    )
    assert (values["master"], values["cluster_name"], values["log_dir"]) == ("m:1", "env", "/l")


def test_constraints() -> None:
    """Both forms, several times, and from the environment, where one variable holds them all."""
    made = settings(
        "-constraints=hostname:LIKE:n.*,@zone:GROUP_BY:3", '-constraints=["a","UNIQUE"]'
    )
    assert [str(one) for one in made.constraints] == [
        "hostname:LIKE:n.*",
        "@zone:GROUP_BY:3",
        "a:UNIQUE",
    ]
    said = '[["hostname", "UNIQUE"], ["a", "LIKE", "b c"]]'
    values = parse(ETCD_MESOS_CONSTRAINTS=said)
    (one, other) = flags.settings(values, ARTIFACTS).constraints
    assert (str(one), str(other)) == ("hostname:UNIQUE", "a:LIKE:b c")
    assert settings().constraints == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rack", "-constraints: 'rack': must be FIELD:OPERATOR"),
        ("rack:NEAR:x", "-constraints: 'rack:NEAR:x': 'NEAR' is no operator"),
        ("rack:LIKE:[", "-constraints: rack:LIKE:[: is no regular expression"),
        ("rack:MAX_PER:none", "-constraints: rack:MAX_PER:none: MAX_PER needs a whole number"),
    ],
)
def test_bad_constraints_are_one_line(text: str, said: str) -> None:
    """Refused before anything starts, by the flag or by the variable."""
    assert said in refused(f"-constraints={text}")
    with pytest.raises(BadUsage, match="ETCD_MESOS_CONSTRAINTS: "):
        parse(ETCD_MESOS_CONSTRAINTS=text)


def test_zookeeper_urls_are_read_and_masked(tmp_path: Path) -> None:
    """What is shown and logged holds no password; one in a URL is warned of, a file keeps it."""
    values = parse("-master=zk://me:secret-1@h1/mesos", "-zk-framework-persist=zk://h1,h2/etcd")
    assert values["master"] == "zk://me:***@h1:2181/mesos"
    assert values["master_zookeeper"].password == "secret-1"
    assert values["zk_framework_persist_zookeeper"].user == ""
    assert "secret-1" not in str(values)
    (line,) = flags.warnings(values)
    assert "-master holds a password" in line
    assert "secret-1" not in line


def test_zookeeper_credentials_come_from_a_file(tmp_path: Path) -> None:
    """They are for every zk:// URL that brings none."""
    file = tmp_path / "credentials"
    file.write_text("me:se:cret\n")
    values = parse(
        "-master=zk://you:other@h1/mesos",
        "-zk-framework-persist=zk://h1/etcd",
        f"-zk-authentication-file={file}",
    )
    assert values["master_zookeeper"].user == "you"
    persist = values["zk_framework_persist_zookeeper"]
    assert (persist.user, persist.password) == ("me", "se:cret")
    file.write_text("no colon here")
    with pytest.raises(BadUsage, match="must hold user:password") as caught:
        parse(f"-zk-authentication-file={file}")
    assert "no colon" not in str(caught.value)
