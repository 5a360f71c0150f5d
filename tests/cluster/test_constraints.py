"""Constraints mean what Marathon's documentation and its `Constraints.scala` say they mean."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.cluster.constraints import Constraint, Operator, parse, refusal
from etcdmesos.mesos.offers import Offer
from tests.cluster import make


def agent(hostname: str = "h", region: str = "", zone: str = "", **attributes: str) -> Offer:
    made = make.offer("a-1", "a")
    return evolve(made, hostname=hostname, region=region, zone=zone, attributes=attributes)


def admits(text: str, one: Offer, *placed: Offer) -> bool:
    """Whether the constraints of `text` allow a member on the agent beside those placed."""
    return refusal(parse(text), one, placed) is None


@pytest.mark.parametrize("field", ["hostname", "@hostname", "@region", "@zone", "rack"])
@pytest.mark.parametrize(
    ("asked", "placed", "allowed"),
    [
        ("UNIQUE", "", "abc"),
        ("UNIQUE", "a", "bc"),
        ("CLUSTER", "", "abc"),
        ("CLUSTER", "b", "b"),
        ("CLUSTER:b", "", "b"),
        ("CLUSTER:b", "b", "b"),
        ("MAX_PER:2", "ab", "abc"),
        ("MAX_PER:2", "aab", "bc"),
        ("LIKE:[ab]", "aa", "ab"),
        ("LIKE:b|c", "", "bc"),
        ("UNLIKE:[ab]", "cc", "c"),
        # The smallest group, once there are enough groups; always a group of its own.
        ("GROUP_BY", "", "abc"),
        ("GROUP_BY", "a", "abc"),
        ("GROUP_BY", "aab", "bc"),
        ("GROUP_BY", "aabb", "abc"),
        ("GROUP_BY:3", "a", "bc"),
        ("GROUP_BY:3", "ab", "c"),
        ("GROUP_BY:3", "abc", "abc"),
        ("GROUP_BY:3", "aabc", "bc"),
        ("GROUP_BY:2", "ab", "abc"),
    ],
)
def test_the_operators(field: str, asked: str, placed: str, allowed: str) -> None:
    """Of agents a, b and c, those that a field of every kind and every operator leave."""
    names = {"hostname": "hostname", "@hostname": "hostname", "rack": "rack"}
    name = names.get(field, field.removeprefix("@"))
    there = [agent(**{name: value}) for value in placed]
    found = [v for v in "abc" if admits(f"{field}:{asked}", agent(**{name: v}), *there)]
    assert "".join(found) == allowed


@pytest.mark.parametrize(
    "asked",
    ["UNIQUE", "CLUSTER", "CLUSTER:x", "GROUP_BY", "GROUP_BY:2", "LIKE:.*", "MAX_PER:9"],
)
@pytest.mark.parametrize("field", ["@zone", "@region", "rack"])
def test_an_agent_without_the_field(field: str, asked: str) -> None:
    """Only UNLIKE takes it, and always does."""
    assert not admits(f"{field}:{asked}", agent())
    assert admits(f"{field}:UNLIKE:.*", agent())


def test_an_expression_must_match_the_whole_value() -> None:
    """As Java's String.matches does: as if it stood between ^ and $."""
    assert admits("hostname:LIKE:node", agent("node"))
    assert not admits("hostname:LIKE:node", agent("node-1"))
    assert not admits("hostname:LIKE:node", agent("a-node"))
    assert not admits("hostname:LIKE:node", agent("node\n"))
    assert admits("hostname:UNLIKE:node", agent("node-1"))


def test_a_member_without_the_field_is_a_group() -> None:
    """Members recorded before, or under other constraints, count with what they have: nothing."""
    there = [agent(zone="a"), agent()]
    assert admits("@zone:GROUP_BY:2", agent(zone="a"), *there)
    assert not admits("@zone:GROUP_BY:3", agent(zone="a"), *there)


def test_all_constraints_must_be_met() -> None:
    """The first one that is not met is named."""
    constraints = parse("hostname:LIKE:h,@zone:UNIQUE,rack:LIKE:r1")
    one = agent("h", zone="z", rack="r2")
    assert str(refusal(constraints, one, [])) == "rack:LIKE:r1"
    assert str(refusal(constraints, one, [agent(zone="z")])) == "@zone:UNIQUE"
    assert refusal(constraints, agent("h", zone="z", rack="r1"), []) is None


def test_what_more_members_may_change() -> None:
    """GROUP_BY refuses a zone only until another member is placed; the others refuse for good."""
    there = [agent(zone="a")]
    one = agent(zone="a")
    for text in ("@zone:GROUP_BY:2", "@zone:UNIQUE"):
        assert refusal(parse(text), one, there) is not None
    assert refusal(parse("@zone:GROUP_BY:2"), one, there, more_to_come=True) is None
    assert refusal(parse("@zone:UNIQUE"), one, there, more_to_come=True) is not None
    assert refusal(parse("@zone:GROUP_BY"), agent(), [], more_to_come=True) is not None


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ({"type": "TEXT"}, {"text": {"value": "r 1"}}, "r 1"),
        ({"type": "SCALAR"}, {"scalar": {"value": 2.0}}, "2"),
        ({"type": "SCALAR"}, {"scalar": {"value": 0.8001}}, "0.8"),
        ({"type": "SCALAR"}, {"scalar": {"value": 1234567.5}}, "1234567.5"),
        ({"type": "SCALAR"}, {"scalar": {"value": 100.0}}, "100"),
        (
            {"type": "RANGES"},
            {"ranges": {"range": [{"begin": 9, "end": 10}, {"begin": 1, "end": 2}]}},
            "[1-2,9-10]",
        ),
        ({"type": "RANGES"}, {"ranges": {}}, "[]"),
        ({"type": "SET"}, {"set": {"item": ["b", "a"]}}, "{a,b}"),
    ],
)
def test_attributes_are_compared_as_mesos_writes_them(
    kind: dict[str, str], value: dict[str, object], text: str
) -> None:
    """Numbers with at most three decimals, ranges and sets sorted; of two of a name the first."""
    offer = Offer.from_json(
        {
            "id": {"value": "o"},
            "agent_id": {"value": "a"},
            "hostname": "h",
            "attributes": [
                {"name": "x", **kind, **value},
                {"name": "x", "type": "TEXT", "text": {"value": "second"}},
            ],
        }
    )
    assert offer.attributes == {"x": text}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("  ", []),
        ("[]", []),
        ("hostname:UNIQUE", ["hostname:UNIQUE"]),
        ("hostname:UNIQUE:", ["hostname:UNIQUE"]),
        ("hostname:LIKE:node-.*,@zone:GROUP_BY:3", ["hostname:LIKE:node-.*", "@zone:GROUP_BY:3"]),
        (" a : CLUSTER : b , c : UNIQUE ", ["a:CLUSTER:b", "c:UNIQUE"]),
        ("a:CLUSTER:b:c", ["a:CLUSTER:b:c"]),
        (r"a:CLUSTER:b\:c", ["a:CLUSTER:b:c"]),
        (r"a:LIKE:b{1\,2},c:UNIQUE", ["a:LIKE:b{1,2}", "c:UNIQUE"]),
        (r"a:LIKE:b\d+\.c", [r"a:LIKE:b\d+\.c"]),
        (r"a\:b:UNIQUE", ["a:b:UNIQUE"]),
        ('["hostname", "UNIQUE"]', ["hostname:UNIQUE"]),
        ('[["a", "LIKE", "b{1,2}"], ["c","GROUP_BY",3]]', ["a:LIKE:b{1,2}", "c:GROUP_BY:3"]),
    ],
)
def test_what_is_read(text: str, rows: list[str]) -> None:
    """Both forms, with what may be a comma or a colon of a value."""
    assert [str(one) for one in parse(text)] == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hostname", "'hostname': must be FIELD:OPERATOR"),
        ("a:UNIQUE,", "'': must be FIELD:OPERATOR"),
        ("a:LIKE:b{1,2}", r"a comma in a value is written \,"),
        (":UNIQUE", ":UNIQUE: names no field"),
        ("a:IS:b", "'a:IS:b': 'IS' is no operator, those are UNIQUE, CLUSTER, GROUP_BY, LIKE"),
        ("a:unique", "'unique' is no operator"),
        ("@host:UNIQUE", "@host:UNIQUE: agents have no @host, only @hostname, @region and @zone"),
        ("a:UNIQUE:1", "a:UNIQUE:1: UNIQUE takes no value"),
        ("a:LIKE", "a:LIKE: LIKE needs a regular expression"),
        ("a:UNLIKE:", "a:UNLIKE: UNLIKE needs a regular expression"),
        ("a:LIKE:(", "a:LIKE:(: is no regular expression: missing )"),
        ("a:LIKE:a\n(", "is no regular expression"),
        ("a:LIKE:a{99999999999999999999}", "is no regular expression"),
        ("a:MAX_PER", "a:MAX_PER: MAX_PER needs a whole number of 1 or more"),
        ("a:MAX_PER:0", "MAX_PER needs a whole number"),
        ("a:MAX_PER:-1", "MAX_PER needs a whole number"),
        ("a:MAX_PER:x", "MAX_PER needs a whole number"),
        ("a:MAX_PER:²", "MAX_PER needs a whole number"),
        ("a:GROUP_BY:x", "GROUP_BY takes a whole number of 1 or more, or nothing"),
        ("a:GROUP_BY:0", "GROUP_BY takes a whole number"),
        ('[["a", "UNIQUE"]', "is no JSON"),
        ('["a", ["UNIQUE"]]', '"a": must be a list such as'),
        ("[1]", "1: must be a list such as"),
        ("[[null]]", "[null]: must be a list such as"),
        ('[["a", "GROUP_BY", true]]', "must be a list such as"),
        ("[[]]", "'': must be FIELD:OPERATOR"),
        ('[["a", "LIKE", "b", "c"]]', "'a:LIKE:b:c': must be FIELD:OPERATOR"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    """Each mistake in one line that says where it is."""
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.text("[]\"',:\\\naLIKEUNQ1", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but ValueError, in one line, comes out, whatever is given."""
    said = ""
    try:
        parse(text)
    except ValueError as error:
        said = str(error)
    assert "\n" not in said


texts = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=8)
values = {
    Operator.UNIQUE: st.just(""),
    Operator.CLUSTER: st.just("") | texts,
    Operator.GROUP_BY: st.just("") | st.integers(1, 9).map(str),
    Operator.MAX_PER: st.integers(1, 9).map(str),
    Operator.LIKE: st.sampled_from(["a,b:c", r"\d{1,2}", "(a|b).*"]),
    Operator.UNLIKE: st.sampled_from(["a,b:c", r"\d{1,2}", "(a|b).*"]),
}


@given(
    st.lists(
        st.sampled_from(Operator).flatmap(
            lambda operator: st.tuples(
                texts.filter(lambda t: not t.startswith("@")), st.just(operator), values[operator]
            )
        ),
        min_size=1,
        max_size=3,
    )
)
def test_both_forms_say_the_same(rows: list[tuple[str, Operator, str]]) -> None:
    """What is written in either form is read back as it was."""
    wanted = tuple(Constraint(*row) for row in rows)
    given_rows = [[field, operator.value, value] for field, operator, value in rows]
    assert parse(json.dumps(given_rows)) == wanted
    short = ",".join(
        ":".join(part.replace(",", "\\,").replace(":", "\\:") for part in row) for row in given_rows
    )
    if "\\" not in "".join(part for row in given_rows for part in row) and not short.startswith(
        "["
    ):
        assert parse(short) == wanted
