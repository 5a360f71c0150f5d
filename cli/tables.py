"""Rows of named fields as a table in aligned columns, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GAP = "   "


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """One line for the heads, one for each of `rows`; `columns` are heads and the fields below."""
    lines = [list(columns), *([_cell(row.get(f)) for f in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return "-" if value in ("", None) else " ".join(str(value).split())
