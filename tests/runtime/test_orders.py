"""What scheduler and executors tell each other arrives as it was meant, or is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.orders import KINDS, BadMessage, Hold, Order, Report, decode, encode, name_of


def _is_finite(message: Any) -> bool:
    numbers = (value for value in attrs.asdict(message).values() if isinstance(value, float))
    return all(map(math.isfinite, numbers))


messages = st.one_of([st.from_type(kind).filter(_is_finite) for kind in KINDS.values()])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(messages)
def test_every_message_is_read_as_it_was_written(message: Order | Report) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1" + 400 * "0"])
def test_what_no_limit_can_be_made_of_is_refused(number: str) -> None:
    """Python reads all of these as JSON."""
    with pytest.raises(BadMessage, match="seconds is no finite number"):
        decode(f'{{"type": "backup", "seconds": {number}}}'.encode())


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused_in_one_line(data: bytes) -> None:
    """An executor of another framework version, or somebody's garbage."""
    with pytest.raises(BadMessage) as refused:
        decode(data)
    assert "\n" not in str(refused.value)


@given(messages, st.text(min_size=1), st.integers())
def test_a_field_nobody_knows_is_refused(message: Order | Report, name: str, value: int) -> None:
    """A newer version may mean something by it that must not be missed."""
    body = {name: value, **json.loads(encode(message))}
    if name not in json.loads(encode(message)):
        with pytest.raises(BadMessage):
            decode(json.dumps(body).encode())


def test_each_order_has_a_name() -> None:
    assert name_of(Hold) == "hold"
    assert len(set(KINDS.values())) == len(KINDS)
