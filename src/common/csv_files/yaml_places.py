"""Where the keys of a YAML file stand, for messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from common.errors import ConfigError


def place_of(path: Path, root: Any, keys: Sequence[str | int]) -> str:
    """Where a key stands in the file: file, line and the keys that lead to it. Those that are not there are left out:
    pydantic names the ways in which a value may be written, too.
    """
    node, line, there = root, 0, list[str]()
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
            line = node.start_mark.line + 1
        for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if name.value == str(key):
                node, line = value, name.start_mark.line + 1
                there.append(name.value)
                break
    return f"{path}, line {line}: {'.'.join(there)}" if line else str(path)


def refuse_repeated_keys(path: Path, root: Any) -> None:
    for node in _mappings(root):
        seen: set[str] = set()
        for name, _ in node.value:
            if name.value in seen:
                raise ConfigError(f"{path}, line {name.start_mark.line + 1}: {name.value} stands there twice.")
            seen.add(name.value)


def _mappings(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)
