"""Flags as Go programs read them, and from the environment."""

from __future__ import annotations

from typing import Any

import pytest

from etcdmesos.cli import flags as f
from etcdmesos.errors import BadUsage

FLAGS = (
    f.Flag("master", f.text, "", "the master"),
    f.Flag("cluster-size", f.whole_number, 3, "members"),
    f.Flag("log_dir", f.text, "", "logs"),
    f.Flag("limit", f.number, 1.5, "a limit, 100% of it"),
    f.Flag("single", f.boolean, True, "one each"),
    f.Flag("option", f.text, (), "an option", repeatable=True),
)


def parse(*arguments: str, **environment: str) -> dict[str, Any]:
    return f.parse("program", "Does things.", FLAGS, arguments, environment)


def test_defaults() -> None:
    """Without a word every flag has its default."""
    assert parse() == {
        "master": "",
        "cluster_size": 3,
        "log_dir": "",
        "limit": 1.5,
        "single": True,
        "option": (),
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("-cluster-size=5",),
        ("--cluster-size=5",),
        ("-cluster-size", "5"),
        ("--cluster-size", "5"),
    ],
)
def test_dashes_and_equals(arguments: tuple[str, ...]) -> None:
    """One dash or two, `=` or a space: all the same."""
    assert parse(*arguments)["cluster_size"] == 5


def test_an_underscore_is_part_of_a_name() -> None:
    """`-log_dir` is the original's spelling."""
    assert parse("-log_dir=/x")["log_dir"] == "/x"


def test_a_value_may_hold_anything() -> None:
    """Equals signs, spaces, dashes and an empty value are values."""
    assert parse("-master=a=b c --d")["master"] == "a=b c --d"
    assert parse("-master=")["master"] == ""
    assert parse("-option=--x=1")["option"] == ("--x=1",)


def test_the_environment() -> None:
    """Every flag has a variable: capitals, underscores, and a prefix of ours."""
    values = parse(
        ETCD_MESOS_CLUSTER_SIZE="5", ETCD_MESOS_LOG_DIR="/y", ETCD_MESOS_SINGLE="false", OTHER="x"
    )
    assert (values["cluster_size"], values["log_dir"], values["single"]) == (5, "/y", False)


def test_the_command_line_wins() -> None:
    """What is said twice is taken from the command line, even when the variable is bad."""
    assert parse("-cluster-size=1", ETCD_MESOS_CLUSTER_SIZE="many")["cluster_size"] == 1


def test_the_last_one_wins() -> None:
    """A flag given twice has its last value."""
    assert parse("-cluster-size=1", "--cluster-size", "7")["cluster_size"] == 7


def test_repeatable() -> None:
    """Values of a repeatable flag add up, in order; in the environment they are separated by
    spaces; the command line replaces those."""
    assert parse("-option=a=1", "--option", "b=2")["option"] == ("a=1", "b=2")
    assert parse(ETCD_MESOS_OPTION="a=1  b=2")["option"] == ("a=1", "b=2")
    assert parse("-option=c=3", ETCD_MESOS_OPTION="a=1 b=2")["option"] == ("c=3",)


@pytest.mark.parametrize("word", ["true", "True", "1", "t", "T"])
def test_true(word: str) -> None:
    """Go's words for true."""
    assert parse(f"-single={word}")["single"] is True


@pytest.mark.parametrize("word", ["false", "FALSE", "0", "f"])
def test_false(word: str) -> None:
    """Go's words for false."""
    assert parse(f"-single={word}")["single"] is False


def test_a_boolean_alone_is_true() -> None:
    """`-single` is short for `-single=true`."""
    assert parse("-single", ETCD_MESOS_SINGLE="false")["single"] is True


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("-unknown=1",), {}, "-unknown"),
        (("--cluster-siz=1",), {}, "--cluster-siz"),
        (("-clus",), {}, "-clus"),
        (("-hello",), {}, ""),
        (("stray",), {}, "stray"),
        (("-cluster-size",), {}, "-cluster-size"),
        (("-cluster-size=three",), {}, "-cluster-size: 'three' is not a whole number"),
        (("-cluster-size=3.5",), {}, "-cluster-size: '3.5' is not a whole number"),
        (("-cluster-size=",), {}, "-cluster-size: '' is not a whole number"),
        (("-limit=x",), {}, "-limit: 'x' is not a number"),
        (("-limit=nan",), {}, "-limit: 'nan' is not a finite number"),
        (("-limit=inf",), {}, "-limit: 'inf' is not a finite number"),
        (("-single=maybe",), {}, "-single: 'maybe' is neither true nor false"),
        ((), {"ETCD_MESOS_CLUSTER_SIZE": "x"}, "ETCD_MESOS_CLUSTER_SIZE: 'x' is not a whole"),
        ((), {"ETCD_MESOS_SINGLE": ""}, "ETCD_MESOS_SINGLE: '' is neither true nor false"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    """Every mistake is BadUsage with one line that names the flag or the variable."""
    with pytest.raises(BadUsage) as caught:
        parse(*arguments, **environment)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_help_lists_the_flags(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help names every flag with its default and ends with status 0."""
    with pytest.raises(SystemExit) as caught:
        parse(word)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for flag in FLAGS:
        assert f"-{flag.name}" in text
    assert "100% of it" in text
    assert "(default: 3)" in text
    assert "(default: true)" in text
    assert "(default: none)" in text
