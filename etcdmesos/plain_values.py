"""Frozen attrs values as plain data, and back: what the small messages of executors need of cattrs.

Executors are fetched on every launch and start while others wait, so they do without cattrs itself
(a third more time to import).  Understood are attrs classes of str, int, float, bool, enumerations,
tuples of one kind, mappings from str, optional ones of these, and each other.
"""

from __future__ import annotations

import enum
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import attrs


def plain(value: Any) -> Any:
    """`value` as JSON has it."""
    if attrs.has(type(value)):
        return {
            field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))
        }
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return value


def structured(kind: Any, data: Any, where: str = "") -> Any:
    """The value of type `kind` that `data` describes.  Raises ValueError with what is wrong.

    A field that is missing must have a default, and one that is not known is an error.
    """
    origin, arguments = _parts(kind)
    if origin in (typing.Union, types.UnionType):
        [other] = [one for one in arguments if one is not type(None)]
        return None if data is None else structured(other, data, where)
    if origin is tuple:
        return tuple(structured(arguments[0], one, where) for one in _of(list, data, where))
    if origin is not None:
        items = _of(dict, data, where).items()
        return {key: structured(arguments[1], one, where) for key, one in items}
    if attrs.has(kind):
        return _structured_fields(kind, _of(dict, data, where), where)
    if issubclass(kind, enum.Enum):
        return kind(data)
    if kind is float:
        return _finite(data if type(data) is int else _of(float, data, where), where)
    return _of(kind, data, where)


def _structured_fields(kind: Any, data: dict[str, Any], where: str) -> Any:
    known = _types(kind)
    if unknown := sorted(set(data) - set(known)):
        raise ValueError(f"{where or kind.__name__} has no {', '.join(map(repr, unknown))}")
    given = {name: structured(known[name], value, name) for name, value in data.items()}
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(str(error)) from error


@cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(kind), typing.get_args(kind)


@cache
def _types(kind: Any) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in attrs.fields(kind)}


def _finite(number: float, where: str) -> float:
    # Python's JSON has NaN, Infinity and integers beyond all floats: no limit can be made of them.
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{where or 'it'} is no finite number")
    return value


def _of(kind: type, data: Any, where: str) -> Any:
    # True is an int to isinstance, and to nobody else.
    if type(data) is not kind:
        # Not what it is: it may be a secret.
        raise ValueError(f"{where or 'it'} is no {kind.__name__}, but {type(data).__name__}")
    return data
