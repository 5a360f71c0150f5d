"""Plays `scripts/*.txt`: prose, then blocks of directives, `----`, and what they led to.

`pytest tests/cluster/test_scripts.py --rewrite` writes what the controller does now into them;
commit that only if you understand the difference.  The directives are in `stage.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.stage import Stage

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
RULE = "----"


def blocks(text: str) -> Iterator[tuple[str, str | None]]:
    """(directives or prose, expected output or None) of a script, in order."""
    for part in re.split(r"\n\n+", text.strip("\n")):
        head, rule, expected = part.partition(f"\n{RULE}")
        yield head, expected.strip("\n") if rule else None


def played(text: str) -> str:
    """The script `text` with what its directives lead to now."""
    stage, parts = Stage(), []
    for head, expected in blocks(text):
        directives = "\n".join(line for line in head.splitlines() if not line.startswith("#"))
        parts.append(head if expected is None else f"{head}\n{RULE}\n{stage.play(directives)}")
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, request: pytest.FixtureRequest) -> None:
    """Every block of directives leads to what is written below it."""
    text = path.read_text(encoding="utf-8")
    now = played(text)
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
        return
    assert now == text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_opens_with_prose(path: Path) -> None:
    """A script first tells its story; a regression also says which bug it keeps away."""
    prose, expected = next(blocks(path.read_text(encoding="utf-8")))
    assert expected is None
    assert prose[0].isupper()
    assert prose.endswith(".")
    if path.stem.startswith("regress_"):
        assert "original" in prose
