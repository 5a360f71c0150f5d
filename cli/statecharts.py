"""Writes `statecharts/*.md` from `statecharts/*.yaml`, or with --check says which are out of
date."""

from __future__ import annotations

import sys
from pathlib import Path

from etcdmesos.chart_definition import parse
from etcdmesos.chart_picture import markdown
from etcdmesos.errors import BadChart

FOLDER = Path("statecharts")


def main() -> None:
    """Run in the project's folder.  Exit status 1 when a check fails or a chart is bad."""
    try:
        stale = [path for path in sorted(FOLDER.glob("*.yaml")) if not _fresh(path)]
    except BadChart as error:
        sys.exit(str(error))
    if stale:
        sys.exit(
            "\n".join(f"{p.with_suffix('.md')} is out of date: make statecharts" for p in stale)
        )


def _fresh(path: Path) -> bool:
    made = markdown(parse(path.read_text(encoding="utf-8"), str(path)))
    target = path.with_suffix(".md")
    if "--check" in sys.argv[1:]:
        return target.is_file() and target.read_text(encoding="utf-8") == made
    target.write_text(made, encoding="utf-8")
    return True


if __name__ == "__main__":
    main()
