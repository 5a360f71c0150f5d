"""zk:// URLs: what they mean, and that no error shows a password."""

from __future__ import annotations

import pytest

from etcdmesos.adapters.zookeeper import ZooKeeperUrl
from etcdmesos.errors import BadUsage


def test_what_a_url_means() -> None:
    """Several servers, the default port, IPv6, a path without its last slash."""
    url = ZooKeeperUrl.parse("zk://h1:2181,h2,[::1]:3/etcd/mesos/")
    assert url.hosts == ("h1:2181", "h2:2181", "[::1]:3")
    assert (url.path, url.user, url.password) == ("/etcd/mesos", "", "")
    assert str(url) == "zk://h1:2181,h2:2181,[::1]:3/etcd/mesos"


def test_credentials_are_masked() -> None:
    """As text and as repr the password is not there; a password may hold a colon and an @."""
    url = ZooKeeperUrl.parse("zk://me:se:c@ret@h1/etcd")
    assert (url.user, url.password) == ("me", "se:c@ret")
    assert str(url) == "zk://me:***@h1:2181/etcd"
    assert "c@ret" not in repr(url)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h1:2181/path",
        "zk://",
        "zk:///path",
        "zk://h1",
        "zk://h1/",
        "zk://h1:x/path",
        "zk://h1:0/path",
        "zk://h1:70000/path",
        "zk://h1,,h2/path",
        "zk://h 1/path",
        "zk://h1/a//b",
        "zk://h1/a/../b",
        "zk://h1/a\nb",
        "zk://@h1/path",
        "zk://me@h1/path",
        "zk://:secret@h1/path",
        "zk://me:@h1/path",
    ],
)
def test_what_is_refused(text: str) -> None:
    """One line each."""
    with pytest.raises(BadUsage) as caught:
        ZooKeeperUrl.parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["zk://me:top/secret@h1/path", "zk://me:topsecret@h1", "zk//me:topsecret@h1/path"]
)
def test_a_refusal_shows_no_password(text: str) -> None:
    """Not even when a slash in the password is what is wrong."""
    with pytest.raises(BadUsage) as caught:
        ZooKeeperUrl.parse(text)
    assert "secret" not in str(caught.value)


def test_who_shares_a_session() -> None:
    """The same servers in any order and the same user; the path does not matter."""
    one = ZooKeeperUrl.parse("zk://h1,h2/etcd")
    assert one.same_session(ZooKeeperUrl.parse("zk://h2:2181,h1/mesos"))
    assert not one.same_session(ZooKeeperUrl.parse("zk://h1/mesos"))
    assert not one.same_session(one.with_credentials("me", "secret"))
