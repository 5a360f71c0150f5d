"""YAML as charts are written in it: only plain data, and no key twice."""

from __future__ import annotations

from typing import Any

import yaml

from etcdmesos.errors import BadChart

# The same loader in C, where PyYAML was built with it, is seven times quicker: 55 ms of the
# executor's start.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """A SafeLoader takes the last of two equal keys without a word; here that is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"'{key.value}' twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(text: str, origin: str) -> Any:
    """The data written in `text`; `origin` names it in errors.  Raises BadChart."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise BadChart(f"{origin}: not YAML: {' '.join(str(error).split())}") from error
