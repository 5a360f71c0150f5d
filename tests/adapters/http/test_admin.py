"""What the admin interface refuses, and how it asks the core; what it shows is
`tests/cluster/test_report.py`'s."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from html import escape
from urllib.parse import quote

import pytest

from etcdmesos.adapters.admin_posts import ASKED, BODY_BYTES
from etcdmesos.adapters.dashboard import AMBER, GREEN, GREY, RED, page
from etcdmesos.adapters.operator import Operator
from etcdmesos.cluster.commands import AnswerOperator
from etcdmesos.cluster.events import CommandDone, Event, UninstallAsked
from etcdmesos.errors import BadUsage
from tests.admin_stand import HOLDER, TOKEN, Scheduler, scheduler

BEARER = {"Authorization": f"Bearer {TOKEN}"}
OURS = json.dumps({"cluster": "c"})


@pytest.fixture(scope="module")
def leader() -> Iterator[Scheduler]:
    with scheduler() as running:
        yield running


@pytest.mark.parametrize("path", [*ASKED, "/reseed", "/stats", "/"])
def test_a_standby_changes_nothing_and_names_the_holder(path: str) -> None:
    """409, so that a tool knows whom to ask instead; also without the token."""
    with scheduler(standby=True) as standby:
        for headers in ({}, BEARER):
            status, said = standby.asked("POST", path, OURS, headers)
            assert (status, said.count(HOLDER)) == (409, 1)


def test_a_standby_answers_what_it_is_asked() -> None:
    """It is alive, says what it is, and does not claim to know how the cluster is."""
    with scheduler(standby=True) as standby:
        assert standby.asked("GET", "/livez")[0] == 200
        status, body = standby.asked("GET", "/stats")
        assert (status, json.loads(body)["role"]) == (200, "standby")
        status, line = standby.asked("GET", "/healthz")
        assert status == 500
        assert line.startswith("not known to this scheduler: stands by; node-2")


def test_what_is_not_offered_cannot_be_changed(leader: Scheduler) -> None:
    """405 for whatever is only to be read, with the token, too."""
    assert leader.asked("POST", "/stats", OURS, BEARER)[0] == 405
    assert leader.asked("DELETE", "/", "", BEARER)[0] == 405


@pytest.mark.parametrize("path", ASKED)
def test_a_get_asks_for_nothing(leader: Scheduler, path: str) -> None:
    """Not even with the token and a body."""
    assert leader.asked("GET", path, OURS, BEARER)[0] == 405


def test_a_dry_run_needs_no_token_and_says_why_nothing_would_be_done(leader: Scheduler) -> None:
    """The calculation as JSON, and as lines for people."""
    status, body = leader.asked("GET", "/reseed/dry-run?member=etcd-1")
    told = json.loads(body)
    assert (status, told["refused"]) == (200, "not now: the phase is recovering")
    assert told["lines"][-1] == "nothing would be done: not now: the phase is recovering"
    assert leader.asked("GET", "/reseed/dry-run")[1] == body


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize(
    "shown",
    [
        "",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        "Bearer \xe9",
    ],
)
def test_nobody_without_the_token_asks_for_anything(
    leader: Scheduler, path: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    """401 and one line; the token is in no answer and in no log."""
    with caplog.at_level(logging.DEBUG):
        headers = {"Authorization": shown} if shown else {}
        status, said = leader.asked("POST", path, OURS, headers)
    assert (status, said.count("\n")) == (401, 1)
    assert TOKEN not in said + caplog.text
    assert not leader.runtime.model.record.uninstalling


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer "])
def test_without_a_token_of_its_own_it_is_told_how_to_set_one(shown: str) -> None:
    """403 for everybody: an empty token is no token."""
    with scheduler(token="") as running:
        status, said = running.asked("POST", "/uninstall", OURS, {"Authorization": shown})
        assert (status, said.count("-admin-token-file")) == (403, 1)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "'cluster' is missing"),
        ("{}", "'cluster' is missing"),
        ("[]", "must be a JSON object"),
        ("{", "must be a JSON object"),
        ("[" * 50_000, "must be a JSON object"),
        ('{"cluster": 1}', "'cluster' must be a string"),
        ('{"cluster": "c", "number": 1}', "'number' means nothing here"),
        ('{"cluster": "c", "force\\n": true}', "means nothing here"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(leader: Scheduler, body: str, says: str) -> None:
    """400, and what is wrong with it."""
    status, said = leader.asked("POST", "/uninstall", body, BEARER)
    assert (status, says in said, said.count("\n")) == (400, True, 1)


def test_a_body_without_end_is_cut(leader: Scheduler) -> None:
    """413 instead of memory."""
    status, _said = leader.asked("POST", "/uninstall", " " * (BODY_BYTES + 1), BEARER)
    assert status == 413


def test_the_core_refuses_or_accepts(caplog: pytest.LogCaptureFixture) -> None:
    """409 or 202 with what it says; both are logged, with what was asked for and by whom."""
    with scheduler() as running, caplog.at_level(logging.WARNING, "etcdmesos.admin"):
        another = json.dumps({"cluster": "another"})
        assert running.asked("POST", "/uninstall", another, BEARER) == (
            409,
            "this is the scheduler of cluster c, not of another\n",
        )
        status, said = running.asked("POST", "/uninstall", OURS, BEARER)
        assert (status, said.startswith("uninstalls cluster c: ")) == (202, True)
        assert running.runtime.model.record.uninstalling
    logged = [vars(r) for r in caplog.records if r.name == "etcdmesos.admin"]
    assert [(r["what"], r["by"], r["accepted"]) for r in logged] == [
        ("UninstallAsked", "127.0.0.1", False),
        ("UninstallAsked", "127.0.0.1", True),
    ]
    assert TOKEN not in caplog.text


def test_at_the_end_nobody_is_kept_waiting() -> None:
    """Who asked, and who asks then, hears that the scheduler ends."""
    heard: list[Event] = []

    def post(event: Event) -> None:
        heard.append(event)
        operator.close()

    operator = Operator(post)
    for _ in range(2):
        answer = operator.ask(UninstallAsked, {"cluster": "c"})
        assert (answer.accepted, answer.text) == (False, "this scheduler ends just now")
    assert heard == [UninstallAsked(number=1, cluster="c")]


def test_an_answer_that_nobody_waits_for_is_no_failure() -> None:
    """As with every command, the core hears that it is done."""
    heard: list[Event] = []
    answer = AnswerOperator(number=7, accepted=True, text="x")
    Operator(heard.append).submit(answer)
    assert heard == [CommandDone(command=answer)]


def test_what_does_not_fit_never_reaches_the_core() -> None:
    """Not even a number of somebody else's."""
    heard: list[Event] = []
    with pytest.raises(BadUsage):
        Operator(heard.append).ask(UninstallAsked, {"cluster": "c", "number": 2})
    assert heard == []


def test_events_are_told_from_where_one_stopped_reading() -> None:
    """Oldest first; a standby has its own."""
    with scheduler(standby=True) as standby:
        told = json.loads(standby.asked("GET", "/events")[1])
        holder = next(entry for entry in told if entry["kind"] == "leadership")
        assert HOLDER in holder["text"]
        later = json.loads(standby.asked("GET", f"/events?after={holder['id']}")[1])
        assert [entry["id"] for entry in later] == list(range(holder["id"] + 1, len(told) + 1))


def test_the_page_shows_how_it_stands_and_what_happened_last() -> None:
    """To a person, without scripts; a standby's says who holds the cluster."""
    with scheduler(standby=True) as standby:
        told = json.loads(standby.asked("GET", "/events")[1])[-1]
        shown = standby.asked("GET", "/")[1]
        assert escape(json.loads(standby.asked("GET", "/stats")[1])["why"]) in shown
        assert f"<td>{told['kind']}</td><td>{escape(told['text'])}</td>" in shown
        assert "this scheduler: standby" in shown


@pytest.mark.parametrize(
    ("stands", "colour"),
    [
        ({"role": "leader", "phase": "healthy", "healthy": 1}, GREEN),
        ({"role": "leader", "phase": "degraded", "healthy": 1}, AMBER),
        ({"role": "leader", "phase": "degraded", "healthy": 0}, RED),
        ({"role": "leader", "phase": "lost", "healthy": 0}, RED),
        ({"role": "standby", "phase": "recovering", "healthy": 0}, GREY),
    ],
)
def test_the_page_is_red_while_clients_fail(
    leader: Scheduler, stands: dict[str, object], colour: str
) -> None:
    """Serving with a member less is not the same as not serving; a standby does not know."""
    stats = json.loads(leader.asked("GET", "/stats")[1])
    assert f"background: {colour}" in page({**stats, **stands}, [])


@pytest.mark.parametrize("after", ["-1", "x", "%0a", "1" * 30, "٣"])
def test_a_bad_id_of_an_event_is_refused_in_one_line(leader: Scheduler, after: str) -> None:
    status, said = leader.asked("GET", f"/events?after={quote(after, safe='%')}")
    assert (status, said.count("\n")) == (400, 1)


def test_prometheus_is_answered_in_the_format_it_asks_for(leader: Scheduler) -> None:
    assert 'etcd_mesos_role{role="leader"} 1.0' in leader.asked("GET", "/metrics")[1]
    openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
    assert leader.asked("GET", "/metrics", "", openmetrics)[1].endswith("# EOF\n")
