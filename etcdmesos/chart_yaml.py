"""YAML as charts are written in it: only plain data, and no key twice."""

from __future__ import annotations

import json
from typing import Any

from etcdmesos.errors import BadChart


def load(text: str, origin: str) -> Any:
    """The data written in `text`; `origin` names it in errors.  Raises BadChart.

    The executables carry charts as JSON, which is YAML too: importing a parser of YAML in Python,
    and running it, was a fifth of the executor's start.
    """
    if text.startswith("{"):
        return _load_json(text, origin)
    return _load_yaml(text, origin)


def _load_json(text: str, origin: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, _ in pairs:
            if [name for name, _ in pairs].count(key) > 1:
                raise BadChart(f"{origin}: '{key}' twice")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except ValueError as error:
        raise BadChart(f"{origin}: not JSON: {error}") from error


def _load_yaml(text: str, origin: str) -> Any:
    import yaml

    # The same loader in C, where PyYAML was built with it, is seven times quicker.
    safe_loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(safe_loader):  # type: ignore[misc]
        """A SafeLoader takes the last of two equal keys without a word; here it is a mistake."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"'{key.value}' twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise BadChart(f"{origin}: not YAML: {' '.join(str(error).split())}") from error
