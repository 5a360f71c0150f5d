"""A document taken apart piece by piece is the document, wherever it is cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.mesos.json_pieces import JsonPieces, Path

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30
)


def put_together(blocks: list[bytes], depth: int) -> Any:
    """The document, built again from its pieces."""
    found: dict[Path, Any] = {}

    def put(path: Path, value: Any) -> None:
        found[path] = value
        if path:
            above = found[path[:-1]]
            if isinstance(above, list):
                assert path[-1] == len(above)
                above.append(value)
            else:
                above[path[-1]] = value

    pieces = JsonPieces(
        opened=lambda path, is_object: put(path, {} if is_object else []),
        piece=put,
        depths={"deeper": depth + 2},
        depth=depth,
    )
    for block in blocks:
        pieces.feed(block)
    pieces.finish()
    return found[()]


@given(DOCUMENTS, st.integers(1, 3), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_it_is_the_same_document(
    document: Any, depth: int, size: int, indent: int | None, ascii_only: bool
) -> None:
    """However deep it is walked into, and into however small blocks the bytes fall."""
    if isinstance(document, dict):
        document = {**document, "deeper": document}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    data = text.encode("utf-8", "surrogatepass" if ascii_only else "replace")
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    assert put_together(blocks, depth) == json.loads(data)


@given(st.binary(max_size=40), st.integers(1, 5))
def test_what_is_no_json_is_refused(data: bytes, size: int) -> None:
    """It takes what json takes, and raises ValueError for everything else."""
    try:
        expected = json.loads(data.decode())
    except ValueError:
        with pytest.raises(ValueError):
            put_together([data[at : at + size] for at in range(0, len(data), size)], 2)
    else:
        assert put_together([data], 2) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1", '{"a"', '{"a":', '{"a":1', "[1,]", '{"a":1,}', "[1 2]", '{"a" 1}', "[]]",
     "[1}", "{1:2}", '{"a":[}', '["', "nul", "[tru]", "[-]"],
)  # fmt: skip
def test_mistakes(text: str) -> None:
    """Each kind of a broken document."""
    with pytest.raises(ValueError):
        put_together([text.encode()], 2)
